/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_nss.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "nss.h"
#include "pk11pub.h"
#include "prerror.h"
#include "prnetdb.h"
#include "sslexp.h"
#include "sslproto.h"
#include "test_build.h"
#include "test_identity.h"

namespace nss_test {
namespace {

constexpr char kStageVariable[] = "SNCE_TEST_STAGE";
constexpr char kDatabaseVariable[] = "SNCE_TEST_DATABASE";
constexpr int kChildTimeoutMs = 60000;

void RemoveDirectory(const std::string& path) {
  DIR* dir = opendir(path.c_str());
  if (!dir) return;
  while (dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') unlink((path + "/" + entry->d_name).c_str());
  }
  closedir(dir);
  rmdir(path.c_str());
}

// The database, if this process had to make it itself.
struct OwnDatabase {
  std::string path;
  pid_t owner = 0;
  ~OwnDatabase() {
    if (owner == getpid()) RemoveDirectory(path);
  }
};
OwnDatabase own_database;
bool nss_started = false;

bool Import(CERTCertificate* cert, const std::string& nickname) {
  if (!cert) return false;
  PK11SlotInfo* slot = PK11_GetInternalKeySlot();
  SECStatus rv = PK11_ImportCert(slot, cert, CK_INVALID_HANDLE,
                                 nickname.c_str(), PR_FALSE);
  PK11_FreeSlot(slot);
  CERT_DestroyCertificate(cert);
  return rv == SECSuccess;
}

bool StoreEcIdentity(const std::string& nickname) {
  SECKEYPrivateKey* priv;
  SECKEYPublicKey* pub;
  if (!MakeEcPair(true, &priv, &pub)) return false;
  bool ok = Import(SelfSign(nickname, pub, priv), nickname);
  SECKEY_DestroyPrivateKey(priv);
  SECKEY_DestroyPublicKey(pub);
  return ok;
}

void MakeDatabase() {
  char path[] = "/tmp/snce-nss-test.XXXXXX";
  if (!mkdtemp(path)) abort();
  own_database.path = path;
  own_database.owner = getpid();
  if (NSS_InitReadWrite(("sql:" + own_database.path).c_str()) != SECSuccess) {
    abort();
  }
  PK11SlotInfo* slot = PK11_GetInternalKeySlot();
  if (PK11_NeedUserInit(slot)) PK11_InitPin(slot, nullptr, "");
  PK11_FreeSlot(slot);
  if (!StoreRsaIdentity("rsa", 2048) || !StoreRsaIdentity("rsa-b", 2048) ||
      !StoreEcIdentity("ecdsa") || !StoreEcIdentity("ecdsa-b") ||
      !StoreRsaIdentity("client", 2048)) {
    fprintf(stderr, "no certificates: error %d\n",
            static_cast<int>(PR_GetError()));
    abort();
  }
}

void SetPolicy() {
  NSS_SetDomesticPolicy();
  SSLVersionRange all = {SSL_LIBRARY_VERSION_TLS_1_2,
                         SSL_LIBRARY_VERSION_TLS_1_3};
  SSL_VersionRangeSetDefault(ssl_variant_stream, &all);
}

SECStatus AcceptCertificate(void*, PRFileDesc*, PRBool, PRBool) {
  return SECSuccess;
}

SECStatus GiveClientCertificate(void* arg, PRFileDesc*, CERTDistNames*,
                                CERTCertificate** cert,
                                SECKEYPrivateKey** key) {
  const Identity* identity = static_cast<const Identity*>(arg);
  if (!identity->cert) return SECFailure;
  *cert = CERT_DupCertificate(identity->cert);
  *key = SECKEY_CopyPrivateKey(identity->key);
  return SECSuccess;
}

PRInt32 AcceptAnyName(PRFileDesc*, const SECItem*, PRUint32, void*) {
  return 0;  // the first name of the ClientHello
}

PRInt32 KeepConfig(PRFileDesc*, const SECItem*, PRUint32, void*) {
  return SSL_SNI_CURRENT_CONFIG_IS_USED;
}

PRInt32 CallFunction(PRFileDesc* fd, const SECItem*, PRUint32, void* arg) {
  return (*static_cast<std::function<PRInt32(PRFileDesc*)>*>(arg))(fd);
}

PRTime ReadClock(void* arg) { return *static_cast<const PRTime*>(arg); }

void DestroyIdentity(Identity* identity) {
  if (identity->cert) CERT_DestroyCertificate(identity->cert);
  if (identity->key) SECKEY_DestroyPrivateKey(identity->key);
  *identity = Identity();
}

void SetBlocking(PRFileDesc* fd, bool blocking) {
  PRSocketOptionData option;
  option.option = PR_SockOpt_Nonblocking;
  option.value.non_blocking = blocking ? PR_FALSE : PR_TRUE;
  PR_SetSocketOption(fd, &option);
}

// One step of a handshake: true when the handshake is complete or has failed.
bool Step(PRFileDesc* fd, bool* complete, PRErrorCode* error) {
  if (SSL_ForceHandshake(fd) == SECSuccess) {
    *complete = true;
    return true;
  }
  *error = PR_GetError();
  if (*error == PR_WOULD_BLOCK_ERROR) {
    *error = 0;
    return false;
  }
  return true;
}

int WaitFor(pid_t pid) {
  auto end = std::chrono::steady_clock::now() +
             std::chrono::milliseconds(kChildTimeoutMs);
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      return -1;
    }
    usleep(1000);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::map<std::string, Stage>& Stages() {
  static std::map<std::string, Stage> stages;
  return stages;
}

std::vector<std::string> stage_arguments;

bool IsMemoryFile(const std::string& number) {
  char target[256];
  ssize_t len =
      readlink(("/proc/self/fd/" + number).c_str(), target, sizeof(target) - 1);
  if (len < 0) return false;
  target[len] = 0;
  return strncmp(target, "/memfd:", 7) == 0;
}

std::vector<int> OpenDescriptors() {
  std::vector<int> result;
  DIR* dir = opendir("/proc/self/fd");
  while (dirent* entry = readdir(dir)) {
    int fd = atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd > 2 && fd != dirfd(dir)) {
      result.push_back(fd);
    }
  }
  closedir(dir);
  return result;
}

// Runs the stage for which this process was started, instead of any test.
class StageEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* stage = getenv(kStageVariable);
    if (!stage) return;
    std::vector<std::string> parts;
    std::string rest = stage;
    for (size_t at; (at = rest.find('\x1f')) != std::string::npos;) {
      parts.push_back(rest.substr(0, at));
      rest = rest.substr(at + 1);
    }
    parts.push_back(rest);
    unsetenv(kStageVariable);
    auto found = Stages().find(parts[0]);
    int status = 99;
    if (found != Stages().end()) {
      parts.erase(parts.begin());
      status = found->second(parts);
    }
    fflush(stderr);
    snce_test::LeaveChild(status);
  }
};
const ::testing::Environment* const stage_environment =
    ::testing::AddGlobalTestEnvironment(new StageEnvironment);

}  // namespace

const std::string& Database() {
  static std::string path;
  if (path.empty()) {
    const char* given = getenv(kDatabaseVariable);
    if (given) {
      path = given;
    } else {
      MakeDatabase();
      nss_started = true;
      SetPolicy();
      path = own_database.path;
      setenv(kDatabaseVariable, path.c_str(), 1);
    }
  }
  return path;
}

void StartNss() {
  const std::string path = "sql:" + Database();
  if (nss_started) return;
  if (NSS_InitReadWrite(path.c_str()) != SECSuccess) abort();
  SetPolicy();
  nss_started = true;
}

bool StopNss() {
  nss_started = false;
  return NSS_Shutdown() == SECSuccess;
}

Identity FindIdentity(const std::string& nickname) {
  Identity identity;
  identity.cert = PK11_FindCertFromNickname(nickname.c_str(), nullptr);
  if (identity.cert) {
    identity.key = PK11_FindKeyByAnyCert(identity.cert, nullptr);
  }
  return identity;
}

CERTCertificate* MakeCertificate(const std::string& name, size_t padding) {
  SECKEYPrivateKey* priv;
  SECKEYPublicKey* pub;
  if (!MakeRsaPair(1024, false, &priv, &pub)) return nullptr;
  CERTCertificate* cert = SelfSign(name, pub, priv, padding);
  SECKEY_DestroyPrivateKey(priv);
  SECKEY_DestroyPublicKey(pub);
  return cert;
}

bool StoreRsaIdentity(const std::string& nickname, int bits) {
  SECKEYPrivateKey* priv;
  SECKEYPublicKey* pub;
  if (!MakeRsaPair(bits, true, &priv, &pub)) return false;
  bool ok = Import(SelfSign(nickname, pub, priv), nickname);
  SECKEY_DestroyPrivateKey(priv);
  SECKEY_DestroyPublicKey(pub);
  return ok;
}

Listener::Listener() {
  fd_ = PR_NewTCPSocket();
  PR_InitializeNetAddr(PR_IpAddrLoopback, 0, &addr_);
  if (PR_Bind(fd_, &addr_) != PR_SUCCESS || PR_Listen(fd_, 8) != PR_SUCCESS ||
      PR_GetSockName(fd_, &addr_) != PR_SUCCESS) {
    PR_Close(fd_);
    fd_ = nullptr;
  }
}

Listener::~Listener() {
  if (fd_) PR_Close(fd_);
}

bool Listener::Pair(PRFileDesc** client, PRFileDesc** server) {
  const PRIntervalTime timeout = PR_SecondsToInterval(10);
  *client = PR_NewTCPSocket();
  *server = nullptr;
  if (PR_Connect(*client, &addr_, timeout) == PR_SUCCESS) {
    *server = PR_Accept(fd_, nullptr, timeout);
  }
  if (*server) return true;
  PR_Close(*client);
  *client = nullptr;
  return false;
}

Connection::Connection(Listener* listener, const ConnectOptions& options) {
  PRFileDesc* client;
  PRFileDesc* server;
  if (!listener->Pair(&client, &server)) return;
  client_ = SSL_ImportFD(nullptr, client);
  server_ = SSL_ImportFD(options.model, server);

  SSLVersionRange range = {options.version, options.version};
  for (PRFileDesc* fd : {client_, server_}) {
    SSL_VersionRangeSet(fd, &range);
    SSL_OptionSet(fd, SSL_ENABLE_SESSION_TICKETS, options.tickets);
    SetBlocking(fd, false);
  }
  SSL_AuthCertificateHook(client_, AcceptCertificate, nullptr);
  SSL_AuthCertificateHook(server_, AcceptCertificate, nullptr);
  SSL_SetURL(client_, options.url.c_str());
  if (options.client) {
    client_identity_.cert = CERT_DupCertificate(options.client->cert);
    client_identity_.key = SECKEY_CopyPrivateKey(options.client->key);
  } else if (options.client_has_certificate) {
    client_identity_ = FindIdentity("client");
  }
  if (!options.peer_id.empty()) {
    SSL_SetSockPeerID(client_, options.peer_id.c_str());
  }
  SSL_GetClientAuthDataHook(client_, GiveClientCertificate, &client_identity_);

  identity_ = FindIdentity(options.server);
  SSL_ConfigServerCert(server_, identity_.cert, identity_.key, nullptr, 0);
  SSL_OptionSet(server_, SSL_NO_CACHE, options.server_no_cache);
  if (!options.model) {
    SSL_OptionSet(server_, SSL_REQUEST_CERTIFICATE,
                  options.request_certificate);
    SSL_OptionSet(
        server_, SSL_REQUIRE_CERTIFICATE,
        options.require_certificate ? SSL_REQUIRE_ALWAYS : SSL_REQUIRE_NEVER);
  }
  sni_ = options.sni;
  if (sni_) {
    SSL_SNISocketConfigHook(server_, CallFunction, &sni_);
  } else if (options.sni_callback) {
    SSL_SNISocketConfigHook(server_, AcceptAnyName, nullptr);
  } else if (options.sni_keeps_config) {
    SSL_SNISocketConfigHook(server_, KeepConfig, nullptr);
  }
  if (options.server_clock) {
    SSL_SetTimeFunc(server_, ReadClock,
                    const_cast<PRTime*>(options.server_clock));
  }
  SSL_ResetHandshake(client_, PR_FALSE);
  SSL_ResetHandshake(server_, PR_TRUE);
}

Connection::~Connection() {
  if (client_) PR_Close(client_);
  if (server_) PR_Close(server_);
  DestroyIdentity(&identity_);
  DestroyIdentity(&client_identity_);
}

bool Connection::Handshake() {
  if (!client_ || !server_) return false;
  bool client_ok = false, server_ok = false;
  bool client_done = false, server_done = false;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!(client_done && server_done)) {
    if (std::chrono::steady_clock::now() > end) return false;
    if (!client_done) client_done = Step(client_, &client_ok, &client_error_);
    if (!server_done) server_done = Step(server_, &server_ok, &server_error_);
    if ((client_done && !client_ok) || (server_done && !server_ok)) {
      return false;
    }
  }
  return true;
}

bool Connection::Talk() {
  char byte = '!';
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  if (PR_Send(server_, &byte, 1, 0, PR_INTERVAL_NO_TIMEOUT) != 1) return false;
  while (PR_Recv(client_, &byte, 1, 0, PR_INTERVAL_NO_TIMEOUT) != 1) {
    if (PR_GetError() != PR_WOULD_BLOCK_ERROR ||
        std::chrono::steady_clock::now() > end) {
      return false;
    }
  }
  return true;
}

SSLChannelInfo Connection::Info(PRFileDesc* fd) const {
  SSLChannelInfo info;
  memset(&info, 0, sizeof(info));
  SSL_GetChannelInfo(fd, &info, sizeof(info));
  return info;
}

bool Connection::resumed() const { return Info(server_).resumed; }

std::vector<uint8_t> Connection::PeerCertificate() const {
  std::vector<uint8_t> der;
  CERTCertificate* cert = SSL_PeerCertificate(server_);
  if (cert) {
    der.assign(cert->derCert.data, cert->derCert.data + cert->derCert.len);
    CERT_DestroyCertificate(cert);
  }
  return der;
}

LoneSocket::LoneSocket(bool as_server, const PRTime* clock) {
  fd_ = SSL_ImportFD(nullptr, PR_NewTCPSocket());
  SSL_ResetHandshake(fd_, as_server);
  if (clock) SSL_SetTimeFunc(fd_, ReadClock, const_cast<PRTime*>(clock));
}

LoneSocket::~LoneSocket() { PR_Close(fd_); }

ShimFields SampleFields(uint32_t n, PRTime created) {
  ShimFields f;
  memset(&f, 0, sizeof(f));
  f.idLen = 32;
  for (unsigned i = 0; i < 32; ++i) f.id[i] = static_cast<uint8_t>(i * 7 + 1);
  memcpy(f.id, &n, sizeof(n));
  for (unsigned i = 0; i < 16; ++i) f.address[i] = static_cast<uint8_t>(i + 3);
  f.version = SSL_LIBRARY_VERSION_TLS_1_2;
  f.creationTime = created;
  f.lastAccessTime = created;
  for (unsigned i = 0; i < 48; ++i) {
    f.masterSecret[i] = static_cast<uint8_t>(i * 5 + n);
  }
  f.masterSecretLen = 48;
  f.resumable = 1;
  f.extendedMasterSecret = 1;
  f.cipherSuite = 0xc02f;
  f.masterWrapMech = 0x80000000ul + 17;
  for (unsigned i = 0; i < 12; ++i) {
    f.wrapKeyId[i] = static_cast<uint8_t>(i * 11 + n);
  }
  f.authType = ssl_auth_ecdsa;
  f.authKeyBits = 70001;
  f.keaType = ssl_kea_ecdh;
  f.keaKeyBits = 70002;
  f.keaGroup = ssl_grp_ec_curve25519;
  f.sigScheme = ssl_sig_ecdsa_secp256r1_sha256;
  f.namedCurve = ssl_grp_ec_secp256r1;
  return f;
}

int InFork(const std::function<int()>& body) {
  fflush(stdout);
  fflush(stderr);
  pid_t pid = fork();
  if (pid == 0) {
    int status = body();
    fflush(stderr);
    snce_test::LeaveChild(status);
  }
  return pid < 0 ? -1 : WaitFor(pid);
}

StageRegistration::StageRegistration(const char* name, Stage stage) {
  Stages()[name] = stage;
}

std::vector<int> MemoryDescriptors() {
  std::vector<int> result;
  for (int fd : OpenDescriptors()) {
    if (IsMemoryFile(std::to_string(fd))) result.push_back(fd);
  }
  return result;
}

int InExec(const std::string& stage, const std::vector<std::string>& arguments,
           Descriptors descriptors) {
  std::string value = stage;
  for (const std::string& argument : arguments) value += '\x1f' + argument;
  Database();
  return InFork([&] {
    if (descriptors != Descriptors::kKeep) {
      for (int fd : OpenDescriptors()) {
        if (descriptors == Descriptors::kNone ||
            !IsMemoryFile(std::to_string(fd))) {
          close(fd);
        }
      }
    }
    setenv(kStageVariable, value.c_str(), 1);
    // Keep gtest's own output out of the stage's output.
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, 1);
    char program[] = "nss-test-stage";
    char* argv[] = {program, nullptr};
    execv("/proc/self/exe", argv);
    return 98;
  });
}

pid_t Spawn(const std::string& stage,
            const std::vector<std::string>& arguments) {
  std::string value = std::string(kStageVariable) + "=" + stage;
  for (const std::string& argument : arguments) value += '\x1f' + argument;
  Database();
  std::vector<char*> environment;
  for (char** at = environ; *at; ++at) environment.push_back(*at);
  environment.push_back(&value[0]);
  environment.push_back(nullptr);
  char program[] = "nss-test-stage";
  char* argv[] = {program, nullptr};
  pid_t pid = -1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // Keep gtest's own output out of the stage's output.
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  const int error = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv,
                                environment.data());
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : -1;
}

int WaitForChild(pid_t pid) { return WaitFor(pid); }

void NssTest::SetUp() {
  StartNss();
  SSL_ShutdownServerSessionIDCache();
  SSL_ClearSessionCache();
  ShimResetTicketKeys();
  unsetenv(SSL_ENV_VAR_NAME);
}

void NssTest::TearDown() {
  SSL_ShutdownServerSessionIDCache();
  SSL_ClearSessionCache();
}

}  // namespace nss_test
