package storagetest_test

import (
	"context"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/storagetest"
	"github.com/godsr/dsr/storage"
)

// broken lists, for every check, faults that it must find.
var broken = map[string][]string{
	"commit":             {"loses the last byte", "keeps slices"},
	"empty":              {"has no empty files"},
	"large":              {"stops at 16 MiB"},
	"not before":         {"shows what is written", "drops the older one in Create"},
	"replace":            {"keeps the older one", "writes over the older one"},
	"abort":              {"commits in Abort", "removes in Abort", "fails in a second Abort"},
	"abort after commit": {"removes in Abort"},
	"over":               {"takes Write after the end", "takes Commit after the end"},
	"names":              {"takes any name", "quotes names"},
	"odd names":          {"unescapes names", "cuts names"},
	"canceled create":    {"is deaf in Create"},
	"canceled write":     {"is deaf in Write"},
	"canceled commit":    {"is deaf in Commit", "goes on after Commit failed"},
	"crowd":              {"mixes up uploads"},
	"one winner":         {"mixes up uploads of a name"},
	"remove":             {"removes nothing", "removes too much"},
	"remove nothing":     {"misses what it removes"},
	"open":               {"has the wrong size", "seeks from the wrong end", "seeks before the file"},
	"open nothing":       {"opens what is not there", "has words of its own", "quotes what is not there"},
	"link":               {"serves a page", "serves without a name", "serves inline"},
	"forged link":        {"signs no name", "trusts every link"},
}

func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	checks := storagetest.Checks()
	require.Len(t, broken, len(checks))
	for _, check := range checks {
		require.NotEmpty(t, broken[check.Name], check.Name)
		for _, fault := range broken[check.Name] {
			t.Run(check.Name+"/"+fault, func(t *testing.T) {
				t.Parallel()
				require.Error(t, check.Run(t.Context(), newPlace(t, fault)))
			})
		}
	}
}

func TestSound(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, newPlace(t, ""))
}

// A destination that is nothing else is checked as well, with a way to look at
// its files.
func TestNothingButADestination(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func() (storagetest.Place, error) {
		p, err := newPlace(t, "")()
		f := p.Destination.(*fake)
		return storagetest.Place{
			Destination: struct{ storage.Destination }{f},
			Read: func(_ context.Context, name string) ([]byte, error) {
				f.mu.Lock()
				defer f.mu.Unlock()
				if content, ok := f.files[name]; ok {
					return []byte(content), nil
				}
				return nil, fs.ErrNotExist
			},
		}, err
	})
	err := storagetest.Checks()[0].Run(t.Context(), func() (storagetest.Place, error) {
		p, err := newPlace(t, "")()
		return storagetest.Place{Destination: struct{ storage.Destination }{p.Destination}}, err
	})
	require.EqualError(t, err, "the destination is no storage.Opener, and Place.Read is missing")
}
