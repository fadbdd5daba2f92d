package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of go test -json; see go doc test2json.
type event struct {
	Action      string
	Package     string
	Test        string
	ImportPath  string
	Output      string
	FailedBuild string
	Elapsed     float64
}

// key names a test; an empty test stands for the package itself.
type key struct{ pkg, test string }

// summary counts what happens in one module.
type summary struct {
	dir string
	out io.Writer

	passed, failed, skipped int
	broken                  []string // packages that failed without a failing test

	open        map[key]*strings.Builder // running tests and packages, with their output
	failedTests map[string]int           // by package
	tests       map[string]int           // by package
}

func newSummary(dir string, out io.Writer) *summary {
	return &summary{
		dir: dir, out: out,
		open: map[key]*strings.Builder{}, failedTests: map[string]int{}, tests: map[string]int{},
	}
}

// found is the number of tests that go test started, subtests included.
func (s *summary) found() int { return s.passed + s.failed + s.skipped }

func (s *summary) ok() bool { return s.failed == 0 && s.skipped == 0 && len(s.broken) == 0 }

func (s *summary) add(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "start", "run":
		s.open[k] = &strings.Builder{}
	case "output":
		if s.open[k] == nil {
			s.open[k] = &strings.Builder{}
		}
		s.open[k].WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e)
		} else {
			s.endTest(k, e.Action)
		}
	}
}

func (s *summary) endTest(k key, action string) {
	s.tests[k.pkg]++
	switch action {
	case "pass":
		s.passed++
	case "skip":
		s.skipped++
		s.show("SKIPPED", k)
	case "fail":
		s.failed++
		s.failedTests[k.pkg]++
		s.show("FAILED", k)
	}
	delete(s.open, k)
}

func (s *summary) endPackage(e event) {
	k := key{pkg: e.Package}
	if e.Action == "fail" {
		// A panic or a time-out ends the binary before its tests are told.
		for _, unfinished := range s.unfinished(e.Package) {
			s.endTest(unfinished, "fail")
		}
		if s.failedTests[e.Package] == 0 {
			s.broken = append(s.broken, e.Package)
		}
		s.show("FAILED", k)
	}
	delete(s.open, k)
	switch e.Action {
	case "pass":
		fmt.Fprintf(s.out, "ok      %s  %d tests, %.1f s\n", e.Package, s.tests[e.Package], e.Elapsed)
	case "skip":
		fmt.Fprintf(s.out, "none    %s  no test files\n", e.Package)
	}
}

// unfinished lists the tests of a package that started and did not end.
func (s *summary) unfinished(pkg string) []key {
	var keys []key
	for _, k := range slices.SortedFunc(maps.Keys(s.open), func(a, b key) int { return strings.Compare(a.test, b.test) }) {
		if k.pkg == pkg && k.test != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

// show prints everything that a test or a package said.
func (s *summary) show(what string, k key) {
	fmt.Fprintf(s.out, "%-7s %s\n", what, strings.TrimSpace(k.pkg+" "+k.test))
	if output := s.open[k]; output != nil {
		fmt.Fprint(s.out, output.String())
	}
}

// finish notes how go test ended. An error that no package explains, such as
// a module file that cannot be read, breaks the module.
func (s *summary) finish(err error) {
	if err != nil && s.failed == 0 && len(s.broken) == 0 {
		s.broken = append(s.broken, s.dir+" ("+err.Error()+")")
	}
}

// report prints the counts of each module and the totals. It tells whether
// everything passed.
func report(out io.Writer, all []*summary) bool {
	var passed, failed, skipped int
	ok := true
	fmt.Fprintln(out)
	for _, s := range all {
		fmt.Fprintf(out, "%-24s %5d tests found, %5d run, %d skipped, %d failed\n",
			s.dir, s.found(), s.passed+s.failed, s.skipped, s.failed)
		for _, pkg := range s.broken {
			fmt.Fprintf(out, "%-24s did not build or broke off: %s\n", s.dir, pkg)
		}
		passed += s.passed
		failed += s.failed + len(s.broken)
		skipped += s.skipped
		ok = ok && s.ok()
	}
	if passed+failed+skipped == 0 {
		fmt.Fprintln(out, "no tests were found")
		ok = false
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return ok
}
