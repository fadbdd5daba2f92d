// Command testsum, run at the root of the workspace, runs the tests of every
// module and tells what came of them. Its arguments are passed to go test.
//
//	go run ./internal/testsum -race -shuffle=on
//	go run ./internal/testsum -dir internal/dbtest/compat -- -tags=compat
//
// Failing and skipped tests are shown with their whole output as soon as they
// end. Each module gets a line of counts, and the last line holds the totals
// alone: "12 passed, 0 failed, 0 skipped". Subtests count as tests. It exits
// with 1 when a test failed or was skipped, when a package did not build, or
// when there was no test at all.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ok, err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (ok bool, err error) {
	dirs, testArgs, err := arguments(ctx, args)
	if err != nil {
		return false, err
	}
	var all []*summary
	for _, dir := range dirs {
		fmt.Fprintf(stdout, "== %s\n", dir)
		s := newSummary(dir, stdout)
		if err := s.test(ctx, testArgs, stderr); err != nil {
			return false, err
		}
		all = append(all, s)
	}
	return report(stdout, all), nil
}

// arguments tells the folders to test in and what to pass to go test.
func arguments(ctx context.Context, args []string) (dirs, testArgs []string, err error) {
	// Without -dir, everything belongs to go test.
	if len(args) == 0 || args[0] != "-dir" {
		dirs, err = modules(ctx)
		return dirs, args, err
	}
	flags := flag.NewFlagSet("testsum", flag.ContinueOnError)
	dir := flags.String("dir", "", "test only below this folder")
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	return []string{*dir}, flags.Args(), nil
}

// modules lists the folders of the workspace's modules, relative to it.
func modules(ctx context.Context) ([]string, error) {
	output, err := exec.CommandContext(ctx, "go", "work", "edit", "-json").Output()
	if err != nil {
		return nil, fmt.Errorf("list the modules of go.work: %w", err)
	}
	var work struct{ Use []struct{ DiskPath string } }
	if err := json.Unmarshal(output, &work); err != nil {
		return nil, fmt.Errorf("list the modules of go.work: %w", err)
	}
	var dirs []string
	for _, use := range work.Use {
		dirs = append(dirs, filepath.Clean(use.DiskPath))
	}
	return dirs, nil
}

// test runs go test in the summary's folder and feeds it what happens.
func (s *summary) test(ctx context.Context, args []string, stderr io.Writer) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"test", "-json"}, args...), "./...")...)
	cmd.Dir = s.dir
	cmd.Stderr = stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run go test in %s: %w", s.dir, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run go test in %s: %w", s.dir, err)
	}
	if err := s.read(output); err != nil {
		return fmt.Errorf("read the output of go test in %s: %w", s.dir, err)
	}
	s.finish(cmd.Wait())
	return ctx.Err()
}

// read takes one event of go test per line; other lines are passed on.
func (s *summary) read(from io.Reader) error {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(s.out, "%s\n", bytes.TrimRight(line, "\n"))
			} else {
				s.add(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
