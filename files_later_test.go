package dsr_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// Files whose key was shredded and that could not be removed then are removed
// later, by the outbox.
func TestFilesAreRemovedLater(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(o *office) dsr.Verb{
		"canceled":    func(o *office) dsr.Verb { return o.Cancel },
		"deleted":     func(o *office) dsr.Verb { return o.Delete },
		"resubmitted": func(o *office) dsr.Verb { return o.Resubmit },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, shelf := newFiles(t, nil, textForm("crm", "a"))
			o.waiting(t, "access", "ada@example.com")
			o.attached(t, "n", "content", true)
			o.send(t)
			shelf.at("remove", func() error { return errors.New("the shelf is away") })
			_, err := end(o)(t.Context(), "r1", clerk)
			require.ErrorContains(t, err, "dsr: remove an attached file: the shelf is away")
			o.clock.add(time.Hour)
			o.send(t)
			require.Len(t, shelf.names(), 1)
			require.Contains(t, o.pending(t), "r1 files  tries 1 failed")
			shelf.at("remove", nil)
			o.clock.add(time.Hour)
			o.send(t)
			require.Empty(t, shelf.names())
			require.NotContains(t, o.pending(t), "r1 files  tries 1 failed")
		})
	}
}

// Nothing stays in the outbox of files that were removed at once.
func TestFilesAreRemovedAtOnce(t *testing.T) {
	t.Parallel()
	o, shelf := newFiles(t, nil, textForm("crm", "a"))
	o.waiting(t, "access", "ada@example.com")
	o.attached(t, "n", "content", true)
	o.send(t)
	o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
	require.Empty(t, shelf.names())
	o.send(t)
	require.Empty(t, o.pending(t))
}

// A file that was not attached leaves nothing behind, however often that
// happens, and a request takes no more files than people can look at.
func TestFilesThatWereNotAttached(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) {
		c.Files = storage.NewFolder(t.TempDir(), nil)
		c.Limits.FileBytes, c.Limits.Files = 3, 3
	})
	o.submitted(t, submission("access", "ada@example.com"))
	files := o.engine.Attachments()
	_, err := files.Add(t.Context(), "r1", "a.txt", "", false, strings.NewReader("abc"), clerk)
	require.NoError(t, err)
	before, err := o.store.Request(t.Context(), "r1")
	require.NoError(t, err)
	for range 3 {
		_, err = files.Add(t.Context(), "r1", "b.txt", "", false, strings.NewReader("abcd"), clerk)
		require.EqualError(t, err, "dsr: request r1: a file has more than 3 bytes, which is Limits.FileBytes")
	}
	after, err := o.store.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, string(before.Outcomes), string(after.Outcomes))
	_, err = files.Add(t.Context(), "r1", "c.txt", "", false, nil, clerk)
	require.EqualError(t, err, "dsr: request r1: the content of the file is nil; give a reader of it")

	for range 2 {
		_, err = files.Add(t.Context(), "r1", "d.txt", "", false, strings.NewReader(""), clerk)
		require.NoError(t, err)
	}
	_, err = files.Add(t.Context(), "r1", "e.txt", "", false, strings.NewReader(""), clerk)
	require.EqualError(t, err, "dsr: request r1 has 3 files, which is Limits.Files; remove some, or put them into one")
}
