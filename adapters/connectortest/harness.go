package connectortest

import (
	"context"
	"slices"
	"testing"

	"github.com/godsr/dsr"
)

// Harness is what an adapter brings to the suite.
type Harness struct {
	// Open creates the tables of the setup, replacing any of the same
	// names, and returns a connector over them. The suite opens one setup at
	// a time and closes its Database before it opens the next.
	Open func(ctx context.Context, s Setup) (dsr.Connector, Database, error)
	// Lacks declares the features that the adapter does not have, each with
	// the reason, which is printed beside the checks that are left out.
	// Defaults to none: everything is checked.
	Lacks map[Feature]string
}

// Setup is what one check needs.
type Setup struct {
	// Tables are in an order in which they can be created: parents first.
	Tables []Table
	// ReadOnly asks for a connector that may not write.
	ReadOnly bool
}

// Database reaches the tables of a setup without the connector, as another
// writer would. It has no more than two connections, where the system counts
// connections, so that a cursor that is never freed is noticed.
type Database interface {
	// Rows returns every row of a table, keyed by column, in any order.
	// Values are of the types that [dsr.Connector] lists; documents are
	// decoded.
	Rows(ctx context.Context, table string) ([]map[string]any, error)
	// Update sets columns of the rows whose columns equal key. A document
	// is replaced as a whole.
	Update(ctx context.Context, table string, key, set map[string]any) error
	// Close drops the tables and frees what Open took.
	Close() error
}

// Feature is something that not every system has.
type Feature string

// The features that an adapter may lack.
const (
	// Documents: columns hold objects and arrays, matched and changed by
	// the path inside them.
	Documents Feature = "documents"
	// NestedArrays: arrays directly inside arrays are matched too.
	NestedArrays Feature = "nested arrays"
	// ForeignKeys: the database enforces references and Describe tells
	// them.
	ForeignKeys Feature = "foreign keys"
	// Keyless: rows of a table without a primary key can be addressed by
	// other columns.
	Keyless Feature = "keyless"
	// DryRun: the connector is a [dsr.DryRunner].
	DryRun Feature = "dry run"
	// Constraints: the database refuses a null in a column that takes none,
	// and a second row with a unique value.
	Constraints Feature = "constraints"
	// Lengths: Describe tells the longest text of a column.
	Lengths Feature = "lengths"
	// Decimals: there are exact decimals beyond the precision of a float64.
	Decimals Feature = "decimals"
	// Times: there are points in time and plain dates.
	Times Feature = "times"
)

func (h *Harness) has(f Feature) bool {
	_, lacks := h.Lacks[f]
	return !lacks
}

// Check is one promise of [dsr.Connector].
type Check struct {
	// Name is the name that the comments of [dsr.Connector] use.
	Name string
	// Explanation says what is promised and what breaks without it.
	Explanation string
	// Needs lists the features without which the check means nothing.
	Needs []Feature
	// Run opens what it needs and returns what is wrong, or nil.
	Run func(ctx context.Context, h Harness) error
}

// Checks returns every check, in the order in which they should run.
func Checks() []Check {
	return slices.Concat(selectChecks(), valueChecks(), documentChecks(), writeChecks(),
		refusalChecks(), cursorChecks(), schemaChecks())
}

// Run runs every check as a subtest, one after another, except for those
// whose features the harness lacks: these it logs.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, check := range Checks() {
		if i := slices.IndexFunc(check.Needs, func(f Feature) bool { return !h.has(f) }); i >= 0 {
			t.Logf("left out: %q, for want of %s: %s", check.Name, check.Needs[i], h.Lacks[check.Needs[i]])
			continue
		}
		t.Run(check.Name, func(t *testing.T) {
			if err := check.Run(t.Context(), h); err != nil {
				t.Errorf("%v\n\npromised: %s", err, check.Explanation)
			}
		})
	}
}
