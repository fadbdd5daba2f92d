package audit

import (
	"cmp"
	"fmt"
	"slices"
)

// MaxFindings is how many findings a report holds; more are only counted.
const MaxFindings = 10_000

// FindingKind says what was done to the trail.
type FindingKind string

// The kinds of findings.
const (
	// Edited: an entry or a checkpoint is not as it was written: its hash,
	// MAC or signature does not fit.
	Edited FindingKind = "edited"
	// Removed: an entry or a checkpoint before others is missing, or a whole
	// chain that a checkpoint saw.
	Removed FindingKind = "removed"
	// Reordered: what is there does not stand where it was written.
	Reordered FindingKind = "reordered"
	// CutOff: a checkpoint saw more entries than the chain has.
	CutOff FindingKind = "cut off"
	// Rewritten: a chain, or the row of checkpoints, is consistent in itself
	// and yet differs from what a checkpoint saw.
	Rewritten FindingKind = "rewritten"
	// Unchecked: something could not be checked, which proves nothing.
	Unchecked FindingKind = "unchecked"
)

// Finding is one thing that does not fit.
type Finding struct {
	// RequestID is the chain; empty when it is about a checkpoint.
	RequestID string `json:"request_id,omitempty"`
	// Seq is the number of the entry or checkpoint, the first of several; 0
	// when it is about a whole chain or an export's header.
	Seq  int64       `json:"seq"`
	Kind FindingKind `json:"kind"`
	// Message says what it is and what it means, for an operator.
	Message string `json:"message"`
}

// Report is what a verification came to. A trail is as it was written when
// there are no findings, within what package audit promises.
type Report struct {
	// Chains, Entries and Checkpoints count what was read.
	Chains      int64 `json:"chains"`
	Entries     int64 `json:"entries"`
	Checkpoints int64 `json:"checkpoints"`
	// Unsigned counts entries newer than the last checkpoint that covers
	// their chain: only their MACs protect them.
	Unsigned int64 `json:"unsigned"`
	// Unauthenticated is set when the public key came from the export
	// itself: the report then says that the export is consistent, not who
	// made it.
	Unauthenticated bool `json:"unauthenticated,omitempty"`
	// Only lists, sorted, the requests that were verified; nil for all.
	Only []string `json:"only,omitempty"`
	// LastSeq and LastHash are the newest sound checkpoint, to be written
	// down elsewhere and given to [Verifier.Expect] the next time.
	LastSeq  int64  `json:"last_seq,omitempty"`
	LastHash []byte `json:"last_hash,omitempty"`
	// Findings are sorted by request and number; those about checkpoints
	// come first. There are at most [MaxFindings].
	Findings []Finding `json:"findings,omitempty"`
	// Omitted counts the findings beyond them.
	Omitted int64 `json:"omitted,omitempty"`
}

func (r *Report) add(requestID string, seq int64, kind FindingKind, format string, args ...any) {
	if len(r.Findings) == MaxFindings {
		r.Omitted++
		return
	}
	r.Findings = append(r.Findings, Finding{RequestID: requestID, Seq: seq, Kind: kind, Message: fmt.Sprintf(format, args...)})
}

func (r *Report) sort() {
	slices.SortFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.RequestID, b.RequestID), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Message, b.Message))
	})
}
