package dsr_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
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
