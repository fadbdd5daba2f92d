package dsr_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// A package is known to its request before anybody can see it: when the process
// dies right after it was delivered, and the request is canceled instead of
// being taken up again, the package goes when its time has come.
func TestOrphanedPackageExpires(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, policy string
		rules        dsr.Retention
		cancel       time.Duration // after the death
	}{
		{"access", "access", dsr.Retention{Packages: time.Hour}, 0},
		{"before an erasure", "both", dsr.Retention{Packages: time.Hour}, 0},
		{"after the lease", "both", dsr.Retention{Packages: time.Hour}, 2 * time.Minute},
		{"with the request", "both", dsr.Retention{Packages: time.Hour, Requests: time.Hour}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder, p := t.TempDir(), &process{}
			o := newOffice(t, dsr.Flow{}, func(config *dsr.Config) {
				config.Retention = c.rules
				config.Destinations = map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(folder, nil)}}
			})
			o.submitted(t, submission(c.policy, "ada@example.com"))

			dying := o.config
			dying.Store, dying.Spool = &dyingStore{o.config.Store, p}, &dyingSpool{o.spool, p}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ctx, hit := at(ctx, "delivered access", func() {
				p.dead.Store(true)
				cancel()
			})
			_, err := newEngine(t, dying).Requests().Advance(ctx, "r1")
			require.Error(t, err)
			require.True(t, *hit)
			files := func() (names []string) {
				entries, err := os.ReadDir(folder)
				require.NoError(t, err)
				for _, e := range entries {
					names = append(names, e.Name())
				}
				return names
			}
			both := []string{"r1.json", "r1.manifest.json"}
			require.Equal(t, both, files(), "it is visible")

			o.clock.add(c.cancel)
			o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
			o.clock.add(time.Hour - time.Microsecond)
			o.advanced(t, "r1", dsr.StatusCanceled)
			require.Equal(t, both, files(), "its time has not come")
			o.clock.add(time.Microsecond)
			o.advanced(t, "r1", dsr.StatusCanceled)
			require.Empty(t, files())
			require.Empty(t, o.db().written, "nothing was erased")
			o.sound(t)
		})
	}
}
