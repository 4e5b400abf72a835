/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_session.h"

#include <algorithm>
#include <cstring>

namespace snce_test {

namespace {

// Many variants share few certificates and names, so that equal ones are
// common.
constexpr uint64_t kCertificates = 97;
constexpr uint64_t kNames = 13;
constexpr size_t kCertificateMost = 3000;

constexpr uint64_t kIdSeed = 0x6964ull << 48;
constexpr uint64_t kAddressSeed = 0x6164ull << 48;
constexpr uint64_t kCertificateSeed = 0x6365ull << 48;

void Fill(uint64_t seed, uint8_t* out, size_t len) {
  for (size_t at = 0; at < len; at += 8) {
    const uint64_t word = Mix(seed + 0x9e3779b97f4a7c15ull * (at / 8 + 1));
    std::memcpy(out + at, &word, std::min<size_t>(8, len - at));
  }
}

uint64_t Load(const uint8_t* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

std::string WhatDiffers(const snceSession& a, const snceSession& b) {
  if (a.idLen != b.idLen || std::memcmp(a.id, b.id, b.idLen) != 0) return "id";
  if (std::memcmp(a.address, b.address, sizeof(a.address)) != 0)
    return "address";
  if (a.sessionClass != b.sessionClass) return "class";
  if (a.created.usec != b.created.usec) return "created";
  if (std::memcmp(a.state, b.state, sizeof(a.state)) != 0) return "state";
  if (a.certificate.len != b.certificate.len) return "certificate length";
  if (b.certificate.len != 0 &&
      std::memcmp(a.certificate.data, b.certificate.data, b.certificate.len))
    return "certificate";
  return "";
}

}  // namespace

uint64_t Mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15ull;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
  return value ^ (value >> 31);
}

std::vector<uint8_t> Bytes(uint64_t seed, size_t len) {
  std::vector<uint8_t> bytes(len);
  Fill(seed, bytes.data(), len);
  return bytes;
}

Session::Session(uint64_t serial, uint64_t variant, uint8_t shape) {
  const uint64_t mixed = Mix(variant * 8 + shape);
  std::memset(&session_, 0, sizeof(session_));
  Fill(kIdSeed + serial, session_.id, SNCE_ID_MAX);
  session_.idLen = SNCE_ID_MAX;
  Fill(kAddressSeed + serial, session_.address, SNCE_ADDRESS_BYTES);
  session_.sessionClass =
      (shape & kAnyClass) && (mixed & 1) ? SNCE_CLASS_SSL2 : SNCE_CLASS_SSL3;
  session_.created =
      At(kStart + static_cast<int64_t>((shape & kAnyClass) ? mixed % 1000 : 0));
  std::memcpy(session_.state, &serial, 8);
  std::memcpy(session_.state + 8, &variant, 8);
  session_.state[16] = shape;
  Fill(Mix(serial) ^ mixed, session_.state + 17, SNCE_STATE_BYTES - 17);
  if (shape & kCertificate) {
    const uint64_t which = mixed % kCertificates;
    certificate_ = Bytes(kCertificateSeed + which,
                         1 + Mix(kCertificateSeed + which) % kCertificateMost);
  }
  if (shape & kName)
    name_ = "host-" + std::to_string(mixed % kNames) + ".example";
  Bind();
}

Session& Session::operator=(const Session& other) {
  session_ = other.session_;
  certificate_ = other.certificate_;
  name_ = other.name_;
  Bind();
  return *this;
}

void Session::Bind() {
  session_.certificate.data = certificate_.data();
  session_.certificate.len = session_.certificate.capacity =
      certificate_.size();
  session_.name = reinterpret_cast<const uint8_t*>(name_.data());
  session_.nameLen = name_.size();
}

Session& Session::Class(snceClass session_class) {
  session_.sessionClass = session_class;
  return *this;
}

Session& Session::Created(snceTime created) {
  session_.created = created;
  return *this;
}

Session& Session::Id(const std::vector<uint8_t>& id) {
  std::memset(session_.id, 0, sizeof(session_.id));
  std::copy_n(id.begin(), std::min<size_t>(id.size(), SNCE_ID_MAX),
              session_.id);
  session_.idLen = id.size();
  return *this;
}

Session& Session::Address(uint8_t fill) {
  std::memset(session_.address, fill, sizeof(session_.address));
  return *this;
}

Session& Session::Certificate(const std::vector<uint8_t>& certificate) {
  certificate_ = certificate;
  Bind();
  return *this;
}

Session& Session::Name(const std::string& name) {
  name_ = name;
  Bind();
  return *this;
}

snceKey Session::Key() const {
  snceKey key;
  std::memset(&key, 0, sizeof(key));
  key.id = session_.id;
  key.idLen = session_.idLen;
  std::memcpy(key.address, session_.address, sizeof(key.address));
  return key;
}

snceKey Session::KeyNamed(const std::string& name) const {
  snceKey key = Key();
  key.name = reinterpret_cast<const uint8_t*>(name.data());
  key.nameLen = name.size();
  return key;
}

Answer::Answer() : certificate_(SNCE_CERTIFICATE_MAX) {
  std::memset(&session_, 0, sizeof(session_));
}

snceResult Answer::Lookup(snceCache cache, const snceKey& key, snceTime now) {
  session_.certificate = {certificate_.data(), 0, certificate_.size()};
  return snceCache_Lookup(cache, &key, now, &session_);
}

std::vector<uint8_t> Answer::certificate() const {
  return std::vector<uint8_t>(
      certificate_.begin(),
      certificate_.begin() +
          static_cast<ptrdiff_t>(
              std::min(session_.certificate.len, certificate_.size())));
}

uint64_t Answer::serial() const { return Load(session_.state); }

uint64_t Answer::variant() const { return Load(session_.state + 8); }

std::string Answer::Mixed() const {
  const Session whole(serial(), variant(), session_.state[16]);
  return Differs(whole);
}

std::string Answer::Differs(const Session& session) const {
  return WhatDiffers(session_, *session.get());
}

snceResult Find(snceCache cache, const Session& session, snceTime now) {
  static thread_local Answer answer;
  const snceResult result = answer.Lookup(cache, session.Key(), now);
  snceSession_Wipe(answer.get());
  return result;
}

uint64_t CountFound(snceCache cache, uint64_t first, uint64_t count,
                    snceTime now, uint8_t shape) {
  uint64_t found = 0;
  Answer answer;
  for (uint64_t serial = first; serial < first + count; ++serial) {
    const Session session(serial, 0, shape);
    if (answer.Lookup(cache, session.Key(), now) == SNCE_OK &&
        answer.Differs(session).empty())
      ++found;
  }
  return found;
}

uint64_t CountUsable(snceCache cache, uint64_t first, uint64_t count,
                     snceTime from) {
  uint64_t used = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const snceTime now = from + int64_t(i) * (kSecond / 10);
    Session(first + i).Created(now).Insert(cache, now);
  }
  for (uint64_t i = 0; i < count; ++i) {
    const Session session(first + i);
    const snceKey key = session.Key();
    used += snceCache_Remove(cache, &key) == SNCE_OK;
  }
  return used;
}

}  // namespace snce_test
