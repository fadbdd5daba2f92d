// Packagewriter writes a generated data package into a folder and prints the
// high-water mark of its memory in KiB, the bytes that it was made of, the bytes
// of the file, and how many milliseconds it took.
//
//	packagewriter FORMAT MIB FOLDER
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/godsr/dsr/internal/bench"
	"github.com/godsr/dsr/storage"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("packagewriter: want FORMAT MIB FOLDER, got %d arguments", len(args))
	}
	format, ok := bench.Formats()[args[0]]
	if !ok {
		return fmt.Errorf("packagewriter: there is no format %q", args[0])
	}
	mib, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	p := bench.NewPackage(mib)
	start := time.Now()
	manifest := &storage.Manifest{RequestID: "request-1"}
	out, err := storage.Create(ctx, storage.NewFolder(args[2], nil), storage.PackageOptions{Name: "request-1", Format: format, About: p.About()})
	if err != nil {
		return err
	}
	defer func() { _ = out.Abort() }()
	size, err := p.Write(ctx, out)
	if err != nil {
		return err
	}
	if err := out.Commit(ctx, manifest); err != nil {
		return err
	}
	took := time.Since(start)
	peak, err := bench.HighWater("self")
	if err != nil {
		return err
	}
	fmt.Println(peak, size, manifest.Bytes, took.Milliseconds())
	return nil
}
