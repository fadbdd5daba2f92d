package notifiertest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/notifiertest"
)

// broken lists, for every check, faults that it must find. No other check finds
// the first of them.
var broken = map[string][]string{
	"handed over": {"drops what has no deadline", "drops everything", "takes later", "sends twice", "calls reminders tasks"},
	"content":     {"has HTML of its own", "has subjects of its own", "has no HTML", "has HTML alone"},
	"hostile texts": {
		"cuts lines", "breaks lines", "ends at a dot", "takes dots away", "trims lines", "trims the text", "joins blanks",
		"makes paragraphs", "escapes From", "reads encoded words", "unescapes HTML", "escapes HTML", "is made for Europe",
		"knows what is meant", "cuts at NUL", "cuts the subject at NUL", "drops control characters", "drops byte order marks", "cuts the subject", "takes headers from the subject",
	},
	"recipients":         {"writes to one operator", "writes to the first address", "calls as well", "writes to some twice", "writes to operators of tasks", "copies operators"},
	"nobody":             {"waits for an address", "writes to operators instead", "drops what is for nobody"},
	"same id":            {"marks by the text", "marks by the request"},
	"own id":             {"finds marks by their parts", "marks in lower case", "marks are short"},
	"rejected":           {"hopes on", "is offended", "swallows a refusal"},
	"unavailable":        {"gives up at once", "gives up the third time", "swallows failures", "sends later by itself", "stays down"},
	"lost answer":        {"takes silence for consent", "gives up on a lost answer", "marks anew what was lost"},
	"canceled":           {"knows deadlines only", "is deaf", "gives up after a time-out", "takes a hanging side for well", "goes on meanwhile"},
	"no personal values": {"quotes a failure", "quotes a refusal", "offers a quote", "quotes what was lost", "quotes what timed out", "quotes what came too late", "quotes the address"},
	"crowd":              {"crowded: mixes up texts", "crowded: mixes up people", "crowded: mixes up notices", "crowded: takes a few", "crowded: drops some"},
}

// run runs a check on a fake, and waits for what the fake left behind.
func run(t *testing.T, check notifiertest.Check, fault string) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		err = check.Run(t.Context(), notifiertest.Harness{New: newSide(fault)})
		<-time.After(time.Hour)
	})
	return err
}

func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	checks := notifiertest.Checks()
	require.Len(t, broken, len(checks))
	for _, check := range checks {
		require.NotEmpty(t, check.Explanation)
		require.NotEmpty(t, broken[check.Name], "no notifier proves check %q", check.Name)
		for _, fault := range broken[check.Name] {
			t.Run(check.Name+"/"+fault, func(t *testing.T) {
				t.Parallel()
				err := run(t, check, fault)
				require.Error(t, err)
				t.Log(err)
			})
		}
	}
}

// No check is superfluous.
func TestEveryCheckFindsWhatNoOtherFinds(t *testing.T) {
	t.Parallel()
	for name, faults := range broken {
		for _, check := range notifiertest.Checks() {
			t.Run(faults[0]+"/"+check.Name, func(t *testing.T) {
				t.Parallel()
				err := run(t, check, faults[0])
				if check.Name == name {
					require.Error(t, err)
				} else {
					require.NoError(t, err)
				}
			})
		}
	}
}

// Each recipient may have a notice of its own.
func TestSound(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"", "sends to each"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			notifiertest.Run(t, notifiertest.Harness{New: newSide(way)})
		})
	}
}
