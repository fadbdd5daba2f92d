// Package recordstest checks that [oauth.Records] keep what the port promises.
// Their own test calls [Run]:
//
//	func TestRecords(t *testing.T) {
//		recordstest.Run(t, func() (oauth.Records, error) { return myrecords.New(...) })
//	}
package recordstest

import (
	"context"
	"testing"

	"github.com/godsr/dsr/adapters/api/oauth"
)

// Check is one promise of the port.
type Check struct {
	// Name is short and unique.
	Name string
	// Explanation says what must hold, and is shown when it does not.
	Explanation string
	// Run returns an error that says what the records did wrong. They are
	// empty at first.
	Run func(ctx context.Context, records oauth.Records) error
}

// Checks returns all checks. They are independent of each other.
func Checks() []Check {
	return []Check{
		{"get", "a record comes back as it was put, byte for byte; kinds do not mix; one that is not there is dsr.ErrNotFound", get},
		{"list", "a kind is listed by the bytes of its keys, after a key, to a limit", list},
		{"versions", "what is put has the next version, and is put over the expected one only", versions},
		{"race", "of many that put at once over the same version, one succeeds", race},
		{"delete", "a record is removed at the expected version only", remove},
	}
}

// Run runs every check as a parallel subtest.
func Run(t *testing.T, newRecords func() (oauth.Records, error)) {
	t.Helper()
	for _, check := range Checks() {
		t.Run(check.Name, func(t *testing.T) {
			t.Parallel()
			records, err := newRecords()
			if err != nil {
				t.Fatal(err)
			}
			if err := check.Run(t.Context(), records); err != nil {
				t.Errorf("%v\nmust hold: %s", err, check.Explanation)
			}
		})
	}
}
