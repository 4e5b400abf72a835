#!/usr/bin/python3
"""Tests of verdict, with invented results of programs that do not exist."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("verdict", HERE + "/verdict")
verdict = importlib.util.module_from_spec(
    importlib.util.spec_from_loader("verdict", loader))
loader.exec_module(verdict)

PROMISES = """# A comment.
Lifetime\tTN8\tA session dies.
Limits+ClassLimits\tssl.h\tLimits hold.
Pointers\tTN8\tThere are pointers.
"""
OK, FAILS, SKIPS = "passed", "failed", "skipped"


def gtest(suites, **properties):
    """Returns what GoogleTest writes for {suite: {test: state}}."""
    found = []
    for suite, tests in suites.items():
        entries = []
        for name, state in tests.items():
            entry = {"name": name, "status": "RUN", "result": "COMPLETED"}
            if state == SKIPS:
                entry["result"] = "SKIPPED"
            if state == FAILS:
                entry["failures"] = [{"failure": "a.cc:1\nnot so", "type": ""}]
            entries.append(entry)
        found.append({"name": suite, "testsuite": entries})
    return {"tests": sum(len(t) for t in suites.values()), **properties,
            "name": "AllTests", "testsuites": found}


class VerdictTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.write("promises", PROMISES)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, what):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as file:
            file.write(what if isinstance(what, str) else json.dumps(what))
        return self.path(name)

    def run_verdict(self, *arguments):
        """Returns exit status and lines; the last line must be the count."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = verdict.main(["--promises", self.path("promises"), *arguments])
        lines = out.getvalue().splitlines()
        self.assertRegex(lines[-1], r"^\d+ passed, \d+ failed$")
        self.assertEqual(status == 0, lines[-1].endswith(", 0 failed"))
        for line in lines:
            if self.directory not in line:
                self.assertLess(len(line), 100, line)
        return status, lines

    def judge(self, suites, *arguments):
        path = self.write("blackbox.json", gtest(suites))
        return self.run_verdict("--column", "lib", path, *arguments)

    def row(self, lines, name):
        return next(line for line in lines if line.startswith(name + " ("))

    def test_all_passed_is_kept_with_the_count_of_tests(self):
        status, lines = self.judge({"Lifetime": {"A": OK, "B": OK},
                                    "Limits": {"A": OK}})
        self.assertEqual(status, 0)
        self.assertTrue(self.row(lines, "Lifetime").endswith(" kept 2"))
        self.assertEqual(lines[-1], "2 passed, 0 failed")

    def test_one_failed_test_breaks_its_promise_and_is_named(self):
        status, lines = self.judge({"Lifetime": {"A": OK, "B": FAILS},
                                    "Limits": {"A": OK}})
        self.assertEqual(status, 1)
        self.assertTrue(self.row(lines, "Lifetime").endswith(" broken 1/2"))
        self.assertIn("    lib: Lifetime.B", lines)
        self.assertIn("FAIL lib: Lifetime is broken", lines)
        self.assertEqual(lines[-1], "1 passed, 1 failed")

    def test_of_many_failed_tests_the_first_are_named_and_the_rest_counted(self):
        three = "    lib: Lifetime.T0, Lifetime.T1, Lifetime.T2"
        for count, want in ((3, three), (4, three + ", and 1 more")):
            _, lines = self.judge(
                {"Lifetime": {f"T{i}": FAILS for i in range(count)}})
            self.assertIn(want, lines)

    def test_long_names_are_never_cut(self):
        name = "ASessionThatIsVeryOld" * 6
        path = self.write("blackbox.json", gtest({"Lifetime": {name: FAILS}}))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            verdict.main(["--column", "lib", path])
        self.assertIn("Lifetime." + name, out.getvalue())

    def test_a_promise_that_nothing_judged_is_neither_kept_nor_broken(self):
        status, lines = self.judge({"Lifetime": {"A": OK}})
        self.assertEqual(status, 0)
        self.assertTrue(self.row(lines, "Pointers").endswith(" not judged"))

    def test_skipped_tests_judge_nothing(self):
        status, lines = self.judge({"Lifetime": {"A": SKIPS, "B": SKIPS},
                                    "Limits": {"A": OK, "B": SKIPS}})
        self.assertEqual(status, 0)
        self.assertTrue(self.row(lines, "Lifetime").endswith(" not judged"))
        self.assertTrue(self.row(lines, "Limits+ClassLimits").endswith(" kept 1"))

    def test_nothing_judged_at_all_is_a_failure(self):
        status, _ = self.judge({"Lifetime": {"A": SKIPS}})
        self.assertEqual(status, 1)
        status, _ = self.judge({})
        self.assertEqual(status, 1)

    def test_suites_with_parameters_and_types_are_found_by_their_name(self):
        status, lines = self.judge({"All/Lifetime": {"A/0": OK, "A/1": FAILS},
                                    "Limits/0": {"A": OK},
                                    "All/ClassLimits/1": {"A": OK}})
        self.assertTrue(self.row(lines, "Lifetime").endswith(" broken 1/2"))
        self.assertIn("    lib: All/Lifetime.A/1", lines)
        self.assertTrue(self.row(lines, "Limits+ClassLimits").endswith(" kept 2"))

    def test_a_suite_that_is_no_promise_is_an_error(self):
        status, lines = self.judge({"Lifetime": {"A": OK}, "Lifetimes": {"A": OK}})
        self.assertEqual(status, 1)
        self.assertIn("FAIL lib: no promise names the suite Lifetimes", lines)

    def test_a_promise_without_a_suite_is_an_error_once_both_programs_ran(self):
        blackbox = self.write("blackbox.json", gtest({"Lifetime": {"A": OK}}))
        pointers = self.write("pointers.json", gtest({"ClassLimits": {"A": OK}}))
        status, lines = self.run_verdict("--column", "lib", blackbox, pointers)
        self.assertEqual(status, 1)
        self.assertIn("FAIL lib: no program has the suite Limits", lines)
        self.assertIn("FAIL lib: no program has the suite Pointers", lines)

    def test_a_program_that_left_no_results_breaks_everything(self):
        kept = self.write("blackbox.json", gtest(
            {"Lifetime": {"A": OK}, "Limits": {"A": OK}}))
        status, lines = self.run_verdict(
            "--column", "lib", kept, self.path("pointers.json"))
        self.assertEqual(status, 1)
        self.assertTrue(any("the program did not finish" in line for line in lines))
        self.assertTrue(self.row(lines, "Lifetime").endswith(" broken"))
        self.assertFalse(any(" kept " in line for line in lines))
        self.assertEqual(lines[-1], "0 passed, 3 failed")

    def test_truncated_and_foreign_results_are_those_of_a_crash(self):
        whole = gtest({"Lifetime": {"A": OK, "B": OK}})
        fewer = dict(whole, tests=3)
        for text in ("", json.dumps(whole)[:-20], "[]", "{}", "null",
                     json.dumps(fewer)):
            path = self.write("blackbox.json", text)
            status, lines = self.run_verdict("--column", "lib", path)
            self.assertEqual(status, 1, text)
            self.assertTrue(self.row(lines, "Lifetime").endswith(" broken"), text)

    def test_the_heading_has_name_release_and_path_of_each_library(self):
        path = self.write("blackbox.json", gtest(
            {"Lifetime": {"A": OK}}, nss_version="3.87.1",
            library=os.getcwd() + "/lib/libssl3.so"))
        _, lines = self.run_verdict("--column", "ours", path)
        self.assertEqual(lines[:2], ["ours: NSS 3.87.1", "    lib/libssl3.so"])

    def test_columns_stand_side_by_side_and_are_judged_each(self):
        good = self.write("a/blackbox.json", gtest({"Lifetime": {"A": OK}}))
        bad = self.write("b/blackbox.json", gtest({"Lifetime": {"A": FAILS}}))
        status, lines = self.run_verdict("--column", "ours", good,
                                         "--column", "stock", bad)
        self.assertEqual(status, 1)
        self.assertRegex(self.row(lines, "Lifetime"), r" kept 1 +broken 1/1$")
        self.assertIn("FAIL stock: Lifetime is broken", lines)

    def test_a_column_that_is_broken_as_expected_is_right(self):
        expected = self.write("expected", "# Why.\nLifetime broken\n"
                              "Limits+ClassLimits kept\nPointers not judged\n")
        suites = {"Lifetime": {"A": FAILS}, "Limits": {"A": OK}}
        status, lines = self.judge(suites, "--expect", expected, "lib")
        self.assertEqual((status, lines[-1]), (0, "2 passed, 0 failed"))

    def test_a_column_that_is_not_as_expected_names_the_rows(self):
        expected = self.write("expected", "Lifetime broken\n"
                              "Limits+ClassLimits kept\nPointers kept\n")
        suites = {"Lifetime": {"A": OK}, "Limits": {"A": OK}}
        status, lines = self.judge(suites, "--expect", expected, "lib")
        self.assertEqual(status, 1)
        self.assertIn("FAIL lib: Lifetime is kept, not broken", lines)
        self.assertIn("FAIL lib: Pointers is not judged, not kept", lines)
        self.assertEqual(lines[-1], "1 passed, 2 failed")

    def test_a_crash_is_never_as_expected(self):
        expected = self.write("expected", "Lifetime broken\n"
                              "Limits+ClassLimits broken\nPointers broken\n")
        status, _ = self.run_verdict("--column", "lib", self.path("none.json"),
                                     "--expect", expected, "lib")
        self.assertEqual(status, 1)

    def test_an_expectation_that_misses_a_row_or_has_a_wrong_word_is_refused(self):
        path = self.write("blackbox.json", gtest({"Lifetime": {"A": OK}}))
        rest = "Limits+ClassLimits kept\nPointers kept\n"
        for text in ("Lifetime kept\n", "Lifetime kept\nMore kept\n" + rest,
                     "Lifetime well\n" + rest):
            expected = self.write("expected", text)
            with self.assertRaises(SystemExit) as stopped:
                self.run_verdict("--column", "lib", path, "--expect", expected, "lib")
            self.assertIn("expected", str(stopped.exception.code))

    def test_failed_names_the_failed_tests_and_tells_a_crash(self):
        path = self.write("blackbox.json", gtest(
            {"Lifetime": {"A": OK, "B": FAILS}, "Own": {"C": FAILS}}))
        for files, want in (([path], 0), ([path, self.path("none.json")], 3)):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                status = verdict.main(["--failed", *files])
            self.assertEqual(status, want)
            self.assertEqual(out.getvalue(), "Lifetime.B\nOwn.C\n")

    def test_a_column_without_results_is_refused(self):
        with contextlib.redirect_stderr(io.StringIO()):
            with self.assertRaises(SystemExit):
                self.run_verdict("--column", "lib")

    def test_the_promises_of_the_project_can_be_read(self):
        rows = verdict.read_promises(HERE + "/promises")
        names = [row.name for row in rows]
        self.assertEqual(len(names), len(set(names)))
        for kind in os.listdir(HERE + "/expected"):
            verdict.read_expected(f"{HERE}/expected/{kind}", rows)


if __name__ == "__main__":
    done = unittest.main(exit=False).result
    bad = len(done.failures) + len(done.errors)
    print(f"{done.testsRun - bad} passed, {bad} failed")
    sys.exit(bad > 0)
