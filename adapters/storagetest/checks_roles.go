package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/godsr/dsr/storage"
)

// soon is when links of the checks expire.
const soon = 5 * time.Minute

func removed(ctx context.Context, p *Place) error {
	remover, ok := p.Destination.(storage.Remover)
	if !ok {
		return nil
	}
	for _, name := range []string{"a.json", "a.json.b", "b.json"} {
		if err := p.put(ctx, name, name); err != nil {
			return err
		}
	}
	if err := remover.Remove(ctx, "a.json"); err != nil {
		return fmt.Errorf("Remove: %w", err)
	}
	if err := errors.Join(p.lacks(ctx, "a.json"), p.holds(ctx, "a.json.b", "a.json.b"), p.holds(ctx, "b.json", "b.json")); err != nil {
		return err
	}
	if err := p.put(ctx, "a.json", "again"); err != nil {
		return err
	}
	return p.holds(ctx, "a.json", "again")
}

func removeNothing(ctx context.Context, p *Place) error {
	remover, ok := p.Destination.(storage.Remover)
	if !ok {
		return nil
	}
	if err := p.put(ctx, "a.json", "a"); err != nil {
		return err
	}
	for range 2 {
		if err := remover.Remove(ctx, "b.json"); err != nil {
			return fmt.Errorf("Remove of what is not there: %w", err)
		}
	}
	return p.holds(ctx, "a.json", "a")
}

func opened(ctx context.Context, p *Place) (err error) {
	opener, ok := p.Destination.(storage.Opener)
	if !ok {
		return nil
	}
	const text = "0123456789"
	if err := p.put(ctx, "a.json", text); err != nil {
		return err
	}
	file, err := opener.Open(ctx, "a.json")
	if err != nil {
		return fmt.Errorf("Open: %w", err)
	}
	defer func() {
		if closeErr := file.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("Close: %w", closeErr)
		}
	}()
	if got := file.Size(); got != int64(len(text)) {
		return fmt.Errorf("Size is %d; want %d", got, len(text))
	}
	for _, step := range []struct {
		offset int64
		whence int
		at     int64  // where that is
		read   int    // how much to read
		want   string // what is read
	}{
		{0, io.SeekCurrent, 0, 4, "0123"},
		{0, io.SeekCurrent, 4, 2, "45"},
		{-4, io.SeekEnd, 6, 2, "67"},
		{1, io.SeekCurrent, 9, 5, "9"},
		{0, io.SeekEnd, 10, 1, ""},
		{2, io.SeekStart, 2, 3, "234"},
		{5, io.SeekEnd, 15, 1, ""},
		{-3, io.SeekCurrent, 12, 1, ""},
		{0, io.SeekStart, 0, 20, text},
	} {
		at, err := file.Seek(step.offset, step.whence)
		if err != nil || at != step.at {
			return fmt.Errorf("Seek(%d, %d) returned %d, error %w; want %d", step.offset, step.whence, at, err, step.at)
		}
		got, err := io.ReadAll(io.LimitReader(file, int64(step.read)))
		if err != nil || string(got) != step.want {
			return fmt.Errorf("at %d, %q was read, error %w; want %q", at, got, err, step.want)
		}
	}
	if n, err := file.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("Read at the end returned %d, error %w; want 0, io.EOF", n, err)
	}
	if _, err := file.Seek(-1, io.SeekStart); err == nil {
		return errors.New("Seek to before the file succeeded")
	}
	return nil
}

func openNothing(ctx context.Context, p *Place) error {
	opener, ok := p.Destination.(storage.Opener)
	if !ok {
		return nil
	}
	if err := p.put(ctx, canary+".json", "a"); err != nil {
		return err
	}
	file, err := opener.Open(ctx, canary)
	switch {
	case err == nil:
		return errors.Join(errors.New("Open of what is not there succeeded"), file.Close())
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("Open of what is not there returned error %w; want fs.ErrNotExist", err)
	case strings.Contains(err.Error(), canary):
		return fmt.Errorf("the error quotes the name: %w", err)
	}
	return nil
}

func linked(ctx context.Context, p *Place) error {
	linker, ok := p.Destination.(storage.Linker)
	if !ok {
		return nil
	}
	if err := p.put(ctx, "a b.json", "content"); err != nil {
		return err
	}
	for _, name := range []string{"your data.json", "Übersicht; \"é\" 日本.json"} {
		link, err := linker.Link(ctx, "a b.json", soon, name)
		if err != nil {
			return fmt.Errorf("Link: %w", err)
		}
		got, err := get(ctx, link)
		if err != nil {
			return err
		}
		if got.status != http.StatusOK || got.body != "content" {
			return fmt.Errorf("the link was answered with status %d and %.300q; want 200 and the file", got.status, got.body)
		}
		disposition, params, err := mime.ParseMediaType(got.disposition)
		if err != nil || disposition != "attachment" || params["filename"] != name {
			return fmt.Errorf("the answer is to be saved as %q; want attachment, as %q", got.disposition, name)
		}
	}
	return nil
}

func forged(ctx context.Context, p *Place) error {
	linker, ok := p.Destination.(storage.Linker)
	if !ok {
		return nil
	}
	for _, name := range []string{"mine.json", "others.json"} {
		if err := p.put(ctx, name, name); err != nil {
			return err
		}
	}
	link, err := linker.Link(ctx, "mine.json", soon, "mine.json")
	if err != nil {
		return fmt.Errorf("Link: %w", err)
	}
	forgeries := map[string]string{"another file": strings.Replace(link, "mine.json", "others.json", 1)}
	parsed, err := url.Parse(link)
	if err != nil {
		return errors.New("Link returned what is no address")
	}
	bare := *parsed
	bare.RawQuery = ""
	forgeries["nothing but the address"] = bare.String()
	for key, values := range parsed.Query() {
		query := parsed.Query()
		query.Set(key, values[0]+"1")
		altered := *parsed
		altered.RawQuery = query.Encode()
		forgeries["another "+key] = altered.String()
	}
	for what, forgery := range forgeries {
		got, err := get(ctx, forgery)
		if err != nil {
			return err
		}
		if got.status < http.StatusBadRequest {
			return fmt.Errorf("a link altered to %s was answered with status %d; want a refusal", what, got.status)
		}
	}
	return nil
}

// answer is what a link gives.
type answer struct {
	status            int
	disposition, body string
}

func get(ctx context.Context, link string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return nil, errors.New("Link returned what is no address")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("follow the link: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("follow the link: %w", err)
	}
	return &answer{resp.StatusCode, resp.Header.Get("Content-Disposition"), string(body)}, nil
}
