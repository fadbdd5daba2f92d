package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/godsr/dsr/storage"
)

func committed(ctx context.Context, p *Place) error {
	if err := p.put(ctx, "a.json", "{", "", `"k":`, strings.Repeat("x", 100_000), "\x00\xff\r\n", "}"); err != nil {
		return err
	}
	return p.holds(ctx, "a.json", `{"k":`+strings.Repeat("x", 100_000)+"\x00\xff\r\n}")
}

func empty(ctx context.Context, p *Place) error {
	if err := p.put(ctx, "a.json"); err != nil {
		return err
	}
	return p.holds(ctx, "a.json", "")
}

// large writes bytes that differ everywhere, so that nothing that is swapped,
// lost or doubled goes unnoticed.
func large(ctx context.Context, p *Place) error {
	const size = 21<<20 + 3
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	up, err := p.start(ctx, "a.zip")
	if err != nil {
		return err
	}
	if _, err := io.Copy(up, struct{ io.Reader }{bytes.NewReader(data)}); err != nil {
		return errors.Join(fmt.Errorf("Write: %w", err), up.Abort())
	}
	if err := up.Commit(ctx); err != nil {
		return fmt.Errorf("Commit: %w", err)
	}
	return p.holds(ctx, "a.zip", string(data))
}

func notBefore(ctx context.Context, p *Place) error {
	if err := p.put(ctx, "old.json", "old"); err != nil {
		return err
	}
	for _, name := range []string{"old.json", "new.json"} {
		up, err := p.start(ctx, name, "new", strings.Repeat("x", 1<<20))
		if err != nil {
			return err
		}
		defer func() { _ = up.Abort() }()
	}
	return errors.Join(p.holds(ctx, "old.json", "old"), p.lacks(ctx, "new.json"))
}

func replaced(ctx context.Context, p *Place) error {
	for _, content := range []string{"first", strings.Repeat("a longer one ", 1000), "short", ""} {
		if err := p.put(ctx, "a.json", content); err != nil {
			return err
		}
		if err := p.holds(ctx, "a.json", content); err != nil {
			return err
		}
	}
	return nil
}

func aborted(ctx context.Context, p *Place) error {
	if err := p.put(ctx, "old.json", "old"); err != nil {
		return err
	}
	for _, name := range []string{"old.json", "new.json"} {
		for _, pieces := range [][]string{nil, {"new"}} {
			up, err := p.start(ctx, name, pieces...)
			if err != nil {
				return err
			}
			for range 2 {
				if err := up.Abort(); err != nil {
					return fmt.Errorf("Abort: %w", err)
				}
			}
		}
	}
	return errors.Join(p.holds(ctx, "old.json", "old"), p.lacks(ctx, "new.json"))
}

func abortAfterCommit(ctx context.Context, p *Place) error {
	up, err := p.start(ctx, "a.json", "new")
	if err != nil {
		return err
	}
	if err := up.Commit(ctx); err != nil {
		return fmt.Errorf("Commit: %w", err)
	}
	if err := up.Abort(); err != nil {
		return fmt.Errorf("Abort after Commit: %w", err)
	}
	return p.holds(ctx, "a.json", "new")
}

func over(ctx context.Context, p *Place) error {
	for how, end := range map[string]func(storage.Upload) error{
		"Commit": func(up storage.Upload) error { return up.Commit(ctx) },
		"Abort":  func(up storage.Upload) error { return up.Abort() },
	} {
		up, err := p.start(ctx, how+".json", "new")
		if err != nil {
			return err
		}
		if err := end(up); err != nil {
			return fmt.Errorf("%s: %w", how, err)
		}
		if _, err := up.Write([]byte("more")); !errors.Is(err, storage.ErrUploadOver) {
			return fmt.Errorf("Write after %s returned error %w; want storage.ErrUploadOver", how, err)
		}
		if err := up.Commit(ctx); !errors.Is(err, storage.ErrUploadOver) {
			return fmt.Errorf("Commit after %s returned error %w; want storage.ErrUploadOver", how, err)
		}
	}
	return errors.Join(p.holds(ctx, "Commit.json", "new"), p.lacks(ctx, "Abort.json"))
}

// canary is in names, and must not be in errors.
const canary = "canary-of-a-name"

var refusedNames = []string{
	"", ".", "..", canary + "/b", "../" + canary, `..\` + canary, canary + "..b", canary + "\n", canary + "\x00",
	canary + "\u202e", canary + "\xff", canary + strings.Repeat("x", storage.MaxName),
}

func names(ctx context.Context, p *Place) error {
	calls := map[string]func(name string) error{
		"Create": func(name string) error {
			up, err := p.Destination.Create(ctx, name)
			if err == nil {
				_ = up.Abort()
			}
			return err
		},
	}
	if remover, ok := p.Destination.(storage.Remover); ok {
		calls["Remove"] = func(name string) error { return remover.Remove(ctx, name) }
	}
	if opener, ok := p.Destination.(storage.Opener); ok {
		calls["Open"] = func(name string) error {
			file, err := opener.Open(ctx, name)
			if err == nil {
				_ = file.Close()
			}
			return err
		}
	}
	if linker, ok := p.Destination.(storage.Linker); ok {
		calls["Link"] = func(name string) error {
			_, err := linker.Link(ctx, name, soon, "a.json")
			return err
		}
	}
	for call, do := range calls {
		for _, name := range refusedNames {
			err := do(name)
			if err == nil {
				return fmt.Errorf("%s accepted the name %q", call, name)
			}
			if strings.Contains(err.Error(), canary) {
				return fmt.Errorf("the error of %s quotes the name: %w", call, err)
			}
		}
	}
	return nil
}

func oddNames(ctx context.Context, p *Place) error {
	odd := []string{
		"-rf", "a b.json", "~", "$(id)", "%2e%2e%2fa", "a%20b.json", "a+b.json", "a&b=c?d#e", "été 日本.json", ".hidden", `"quoted"`,
		"'", "__0x2e__", strings.Repeat("a", storage.MaxName), strings.Repeat("é", storage.MaxName/2),
	}
	for i, name := range odd {
		if err := p.put(ctx, name, fmt.Sprint("file ", i)); err != nil {
			return fmt.Errorf("name %d of %d: %w", i, len(odd), err)
		}
	}
	for i, name := range odd {
		if err := p.holds(ctx, name, fmt.Sprint("file ", i)); err != nil {
			return fmt.Errorf("name %d of %d: %w", i, len(odd), err)
		}
	}
	return nil
}

func canceledCreate(ctx context.Context, p *Place) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	up, err := p.Destination.Create(ended, "a.json")
	if err == nil {
		_ = up.Abort()
		return errors.New("Create succeeded under a context that is over")
	}
	if !errors.Is(err, context.Canceled) {
		return fmt.Errorf("Create under a context that is over returned error %w; want context.Canceled", err)
	}
	return nil
}

func canceledWrite(ctx context.Context, p *Place) error {
	if err := p.put(ctx, "old.json", "old"); err != nil {
		return err
	}
	for _, name := range []string{"old.json", "new.json"} {
		within, cancel := context.WithCancel(ctx)
		defer cancel()
		up, err := p.start(within, name, "new", strings.Repeat("x", 1<<20))
		if err != nil {
			return err
		}
		cancel()
		_, writeErr := up.Write([]byte("more"))
		if err := up.Commit(ctx); err == nil {
			return fmt.Errorf("Commit succeeded after the context of Create had ended and Write had returned error %v", writeErr)
		}
		if err := up.Abort(); err != nil {
			return fmt.Errorf("Abort: %w", err)
		}
	}
	return errors.Join(p.holds(ctx, "old.json", "old"), p.lacks(ctx, "new.json"))
}

func canceledCommit(ctx context.Context, p *Place) error {
	if err := p.put(ctx, "old.json", "old"); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, name := range []string{"old.json", "new.json"} {
		up, err := p.start(ctx, name, "new")
		if err != nil {
			return err
		}
		if err := up.Commit(ended); !errors.Is(err, context.Canceled) {
			_ = up.Abort()
			return fmt.Errorf("Commit under a context that is over returned error %w; want context.Canceled", err)
		}
		if err := up.Commit(ctx); !errors.Is(err, storage.ErrUploadOver) {
			_ = up.Abort()
			return fmt.Errorf("Commit after a Commit that failed returned error %w; want storage.ErrUploadOver", err)
		}
	}
	return errors.Join(p.holds(ctx, "old.json", "old"), p.lacks(ctx, "new.json"))
}

// many is how many uploads run at once.
const many = 16

// together runs uploads that are all open before the first is committed, and
// commits them at once.
func (p *Place) together(ctx context.Context, name func(i int) string, content func(i int) string) error {
	errs := make([]error, many)
	var open, done sync.WaitGroup
	open.Add(many)
	for i := range many {
		done.Go(func() {
			text := content(i)
			up, err := p.start(ctx, name(i), text[:len(text)/2], text[len(text)/2:])
			open.Done()
			open.Wait()
			if errs[i] = err; err == nil {
				errs[i] = up.Commit(ctx)
			}
		})
	}
	done.Wait()
	return errors.Join(errs...)
}

func content(i int) string { return strings.Repeat(fmt.Sprintf("upload %d, ", i), 10_000+i) }

func crowd(ctx context.Context, p *Place) error {
	name := func(i int) string { return fmt.Sprintf("file-%d.json", i) }
	if err := p.together(ctx, name, content); err != nil {
		return err
	}
	for i := range many {
		if err := p.holds(ctx, name(i), content(i)); err != nil {
			return err
		}
	}
	return nil
}

func oneWinner(ctx context.Context, p *Place) error {
	if err := p.together(ctx, func(int) string { return "a.json" }, content); err != nil {
		return err
	}
	got, err := p.Read(ctx, "a.json")
	if err != nil {
		return fmt.Errorf("read a file that was committed: %w", err)
	}
	for i := range many {
		if string(got) == content(i) {
			return nil
		}
	}
	return fmt.Errorf("the file of %d bytes is none of those that were written", len(got))
}
