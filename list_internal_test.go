package dsr

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/internal/seal"
)

// Whatever a client sends back as a cursor gives a place or one of two errors,
// neither of which quotes it; a place stands for itself.
func FuzzCursor(f *testing.F) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 678_000, time.UTC)
	for _, rec := range []*Record{{ID: "r1", CreatedAt: at, DueAt: at}, {ID: "r\x00\"<", CreatedAt: at.Add(-1)}, {ID: "x"}} {
		f.Add(encodeCursor(TimeCreated, false, rec), false)
		f.Add(encodeCursor(TimeDue, true, rec), true)
	}
	for _, text := range []string{"", "e30", "bnVsbA", "***", base64.RawURLEncoding.EncodeToString([]byte(`{"s":"created_at","t":"9999-12-31T23:59:59Z","i":"r1"}`))} {
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, descending bool) {
		for _, sort := range TimeFields() {
			place, err := decodeCursor(text, sort, descending)
			if err != nil {
				require.Nil(t, place)
				require.Contains(t, []string{
					"dsr: the cursor is none that a page of this list gave; begin without one",
					"dsr: the cursor belongs to a list that is sorted otherwise; begin without one",
				}, err.Error())
				continue
			}
			require.NotEmpty(t, place.ID)
			rec := &Record{
				ID: place.ID, RequestedAt: place.Time, CreatedAt: place.Time, UpdatedAt: place.Time, StartedAt: place.Time,
				FailedAt: place.Time, FinishedAt: place.Time, DeadlineAt: place.Time, DueAt: place.Time,
			}
			again, err := decodeCursor(encodeCursor(sort, descending, rec), sort, descending)
			require.NoError(t, err)
			require.Equal(t, place.ID, again.ID)
			require.True(t, place.Time.Equal(again.Time))
		}
	})
}

// Whatever stands in a record's columns is shown, or told as damage, and never
// a panic; what is read can be written and read again alike.
func FuzzRecord(f *testing.F) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	state, err := json.Marshal(&lifecycle.State{
		Flow:        lifecycle.Flow{Verify: true, PreApproval: []string{"fraud"}, CoolingOff: time.Hour, Keep: lifecycle.Retention{Journal: 1}},
		SubmittedAt: at, Code: &lifecycle.Code{Hash: []byte{1}, ExpiresAt: at}, Codes: 1, Answers: map[string]bool{"fraud": true},
		Wait: &lifecycle.Waiting{Reason: "down", Since: at, Tries: 2}, Gone: []lifecycle.Thing{lifecycle.Journal},
	})
	require.NoError(f, err)
	outcomes, err := json.Marshal(&results{
		Collections: []CollectionOutcome{{Address: graph.Address{Dataset: "shop", Collection: "orders"}, State: graph.Done, Rows: 2}},
		Packages:    []PackageOutcome{{Rule: "access", Name: "r1.json"}},
	})
	require.NoError(f, err)
	remarks, err := json.Marshal([]openRemark{{Time: at, Action: "denied", Actor: "a", Reason: "r"}})
	require.NoError(f, err)
	f.Add(string(StatusPending), state, outcomes, remarks)
	f.Add("", []byte(nil), []byte(nil), []byte(nil))
	f.Add("none", []byte("null"), []byte("null"), []byte("null"))
	f.Add(string(StatusComplete), []byte(`{"wait":{},"code":null}`), []byte(`{"walk":[{}],"collections":[null]}`), []byte(`[null,{}]`))
	f.Add(string(StatusError), []byte(`{`), []byte(`[]`), []byte(`{}`))
	key := bytes.Repeat([]byte{1}, seal.KeySize)
	f.Fuzz(func(t *testing.T, status string, state, outcomes, remarks []byte) {
		rec := &Record{ID: "r1", Status: Status(status), State: state, Outcomes: outcomes}
		req := rec.request()
		require.Equal(t, "r1", req.ID)
		require.Equal(t, Status(status), req.Status)
		if s, err := rec.state(); err == nil {
			s.Expired(time.Unix(0, 0))
			if rec.State, err = json.Marshal(&s); err == nil { // not a year beyond 9999
				again, err := rec.state()
				require.NoError(t, err)
				want, err := json.Marshal(&again)
				require.NoError(t, err)
				require.JSONEq(t, string(want), string(rec.State))
			}
		} else {
			require.ErrorContains(t, err, "dsr: the stored state of request r1 cannot be read: ")
		}
		if res, err := rec.results(); err == nil {
			data, err := json.Marshal(&res)
			require.NoError(t, err)
			rec.Outcomes = data
			_, err = rec.results()
			require.NoError(t, err)
		}
		sealed, err := seal.Seal(rand.NewChaCha8([32]byte{}), key, remarks, bound("r1", "details"))
		require.NoError(t, err)
		rec.Details = sealed
		_, err = openRemarks(rec, key)
		if err != nil {
			require.EqualError(t, err, "dsr: what was said of the request cannot be decoded")
		}
		// Nothing is shown of what was not sealed for this request.
		rec.ID = "r2"
		_, err = openRemarks(rec, key)
		require.EqualError(t, err, "dsr: open what was said of request r2: seal: cannot be opened with this key in this context")
	})
}
