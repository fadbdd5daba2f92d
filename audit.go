package dsr

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/godsr/dsr/internal/audit"
)

// Audit are the engine's verbs on the audit trail: one chain of hashes for each
// request, of everything that was decided and done, and checkpoints that sign
// the ends of all chains. It holds no person: actors are keyed pseudonyms.
type Audit struct {
	engine *Engine
}

// AuditConfig says how the audit trail is signed.
type AuditConfig struct {
	// Signer signs checkpoints; its key must be Ed25519. Defaults to a key
	// derived from the keyring.
	Signer crypto.Signer
	// Every is how often [Engine.Run] makes a checkpoint, where something
	// happened. Defaults to one hour.
	Every time.Duration
	// Publish is given every checkpoint once it is stored, to keep a copy
	// where whoever may write to the store may not: only then is it noticed
	// when the newest checkpoints are removed. An error is logged. Defaults
	// to none.
	Publish func(context.Context, Checkpoint) error
}

// Audit returns the verbs on the audit trail.
func (e *Engine) Audit() *Audit { return &Audit{engine: e} }

// Entries goes through the audit trail of a request, oldest first. It outlives
// the request.
func (a *Audit) Entries(ctx context.Context, requestID string) iter.Seq2[AuditEntry, error] {
	if requestID == "" {
		return func(yield func(AuditEntry, error) bool) {
			yield(AuditEntry{}, errors.New("dsr: the audit trail of which request?"))
		}
	}
	return a.entries(ctx, requestID)
}

func (a *Audit) entries(ctx context.Context, requestID string) iter.Seq2[AuditEntry, error] {
	const limit = 1000
	return func(yield func(AuditEntry, error) bool) {
		var after AuditPlace
		for {
			page, err := a.engine.config.Store.AuditEntries(ctx, requestID, after, limit)
			if err != nil {
				yield(AuditEntry{}, fmt.Errorf("dsr: read the audit trail: %w", err))
				return
			}
			for _, entry := range page {
				if !yield(entry, nil) {
					return
				}
				after = AuditPlace{RequestID: entry.RequestID, Seq: entry.Seq}
			}
			if len(page) < limit {
				return
			}
		}
	}
}

func (a *Audit) checkpoints(ctx context.Context) iter.Seq2[Checkpoint, error] {
	const limit = 10 // they may be large
	return func(yield func(Checkpoint, error) bool) {
		after := int64(0)
		for {
			page, err := a.engine.config.Store.Checkpoints(ctx, after, limit)
			if err != nil {
				yield(Checkpoint{}, fmt.Errorf("dsr: read the checkpoints: %w", err))
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
				after = c.Seq
			}
			if len(page) < limit {
				return
			}
		}
	}
}

// Pseudonym returns the name that an actor has in the audit trail.
func (a *Audit) Pseudonym(ctx context.Context, actor string) (string, error) {
	return a.engine.pseudonym(ctx, actor)
}

// PublicKey returns the key with which checkpoints are verified.
func (a *Audit) PublicKey(ctx context.Context) (ed25519.PublicKey, error) {
	signer, err := a.engine.signer(ctx)
	if err != nil {
		return nil, err
	}
	key, ok := signer.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("dsr: Audit.Signer has a key of type %T; it must be Ed25519", signer.Public())
	}
	return key, nil
}

func (e *Engine) signer(ctx context.Context) (crypto.Signer, error) {
	if e.config.Audit.Signer != nil {
		return e.config.Audit.Signer, nil
	}
	seed, err := e.config.Keyring.Lookup(ctx, []byte("audit signing key"))
	if err != nil {
		return nil, fmt.Errorf("dsr: derive the key that signs the audit trail: %w", err)
	}
	if len(seed) < ed25519.SeedSize {
		return nil, fmt.Errorf("dsr: the keyring's Lookup gives %d bytes; %d are needed to sign the audit trail: set Audit.Signer", len(seed), ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed[:ed25519.SeedSize]), nil
}

// Checkpoint signs the ends of all chains that grew since the last checkpoint,
// and returns the newest checkpoint; nil where there is none and nothing to
// sign.
func (a *Audit) Checkpoint(ctx context.Context) (*Checkpoint, error) {
	signer, err := a.engine.signer(ctx)
	if err != nil {
		return nil, err
	}
	store := a.engine.config.Store
	for {
		last, err := a.newest(ctx)
		if err != nil {
			return nil, err
		}
		heads, err := store.UnsignedHeads(ctx, audit.MaxHeads)
		if err != nil {
			return nil, fmt.Errorf("dsr: read the ends of the audit trail: %w", err)
		}
		if len(heads) == 0 {
			return a.newest(ctx) // another process may have signed them just now
		}
		seq, prev := int64(1), []byte(nil)
		if last != nil {
			seq, prev = last.Seq+1, last.Hash
		}
		signed := make([]audit.Head, len(heads))
		for i, h := range heads {
			signed[i] = audit.Head(h)
		}
		made, err := audit.NewCheckpoint(seq, prev, a.engine.config.Clock(), signed, signer)
		if err != nil {
			return nil, fmt.Errorf("dsr: %w", err)
		}
		c := checkpointOf(made)
		switch err := store.SaveCheckpoint(ctx, &c); {
		case errors.Is(err, ErrConflict):
			continue // another process was faster
		case err != nil:
			return nil, fmt.Errorf("dsr: store a checkpoint: %w", err)
		}
		if publish := a.engine.config.Audit.Publish; publish != nil {
			if err := publish(ctx, c); err != nil {
				a.engine.config.Logger.ErrorContext(ctx, "a checkpoint of the audit trail was not published", "seq", c.Seq)
			}
		}
	}
}

// newest returns the newest checkpoint, or nil.
func (a *Audit) newest(ctx context.Context) (*Checkpoint, error) {
	last, err := a.engine.config.Store.Checkpoints(ctx, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("dsr: read the last checkpoint: %w", err)
	}
	if len(last) == 0 {
		return nil, nil
	}
	return &last[len(last)-1], nil
}

func checkpointOf(c audit.Checkpoint) Checkpoint {
	heads := make([]AuditHead, len(c.Heads))
	for i, h := range c.Heads {
		heads[i] = AuditHead(h)
	}
	return Checkpoint{Seq: c.Seq, Time: c.Time, Prev: c.Prev, Heads: heads, Hash: c.Hash, Signature: c.Signature}
}

func (c *Checkpoint) audit() audit.Checkpoint {
	heads := make([]audit.Head, len(c.Heads))
	for i, h := range c.Heads {
		heads[i] = audit.Head(h)
	}
	return audit.Checkpoint{Seq: c.Seq, Time: c.Time, Prev: c.Prev, Heads: heads, Hash: c.Hash, Signature: c.Signature}
}

// AuditReport says what a verification came to. Without findings the trail is
// as it was written.
type AuditReport struct {
	// Chains, Entries and Checkpoints count what was read.
	Chains, Entries, Checkpoints int64
	// Unsigned counts entries newer than the last checkpoint of their
	// chain: only their keyed hashes protect them yet.
	Unsigned int64
	// Unauthenticated is set when the public key came from the export
	// itself, which then proves only that the export fits itself.
	Unauthenticated bool
	// Last is the place of the newest checkpoint, to be written down
	// elsewhere and expected the next time.
	Last AuditMark
	// Findings are what does not fit, sorted by request and number; Omitted
	// counts those beyond the first 10,000.
	Findings []AuditFinding
	Omitted  int64
}

// AuditMark names a checkpoint.
type AuditMark struct {
	Seq  int64
	Hash []byte
}

// AuditFinding is one thing in the audit trail that does not fit.
type AuditFinding struct {
	// RequestID is the chain; empty when it is about a checkpoint.
	RequestID string
	// Seq is the number of the entry, or of the checkpoint.
	Seq int64
	// Kind is edited, removed, reordered, cut off, rewritten or unchecked.
	Kind string
	// Message says what it is and what it means.
	Message string
}

// AuditOptions narrow and widen a verification.
type AuditOptions struct {
	// Requests restricts it to some. Defaults to all.
	Requests []string
	// Expect is a checkpoint that was written down elsewhere, and must still
	// be there. Defaults to none.
	Expect AuditMark
	// Key verifies an export. Defaults to the key in the export itself.
	Key ed25519.PublicKey
}

// Verify checks the whole audit trail: hashes, keyed hashes, numbers and
// checkpoints. opts may be nil.
func (a *Audit) Verify(ctx context.Context, opts *AuditOptions) (*AuditReport, error) {
	key, err := a.PublicKey(ctx)
	if err != nil {
		return nil, err
	}
	v := verifier(key, a.engine.auditMAC(ctx), opts)
	ends, err := a.ends(ctx, opts.requests())
	if err != nil {
		return nil, err
	}
	for c, err := range a.checkpoints(ctx) {
		if err != nil {
			return nil, err
		}
		v.Checkpoint(c.audit())
	}
	for entry, err := range a.selected(ctx, opts.requests()) {
		if err != nil {
			return nil, err
		}
		if ends[entry.RequestID] <= entry.Seq {
			delete(ends, entry.RequestID)
		}
		v.Entry(audit.Entry(entry))
	}
	report := reportOf(v.Done())
	for _, f := range report.Findings { // one that is known to be shorter
		if f.Kind == string(audit.Removed) || f.Kind == string(audit.CutOff) {
			delete(ends, f.RequestID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ends)) {
		report.Findings = append(report.Findings, AuditFinding{
			RequestID: id, Seq: ends[id], Kind: string(audit.CutOff),
			Message: "the store notes that the chain goes on to this entry, which is not there: its newest entries, which no checkpoint holds yet, were removed",
		})
	}
	slices.SortStableFunc(report.Findings, func(a, b AuditFinding) int {
		return cmp.Or(cmp.Compare(a.RequestID, b.RequestID), cmp.Compare(a.Seq, b.Seq))
	})
	if n := len(report.Findings) - audit.MaxFindings; n > 0 {
		report.Findings, report.Omitted = report.Findings[:audit.MaxFindings], report.Omitted+int64(n)
	}
	return report, nil
}

// ends are where the store notes that chains end which no checkpoint holds in
// full. They are read before the chains, which may have grown by then.
func (a *Audit) ends(ctx context.Context, only []string) (map[string]int64, error) {
	heads, err := a.engine.config.Store.UnsignedHeads(ctx, math.MaxInt32)
	if err != nil {
		return nil, fmt.Errorf("dsr: read the ends of the audit trail: %w", err)
	}
	ends := map[string]int64{}
	for _, h := range heads {
		if len(only) == 0 || slices.Contains(only, h.RequestID) {
			ends[h.RequestID] = h.Seq
		}
	}
	return ends, nil
}

// Export writes the audit trail as JSON Lines, for an auditor who checks it
// with [VerifyAudit] and no access to the store: of some requests, or of all
// when none is named.
func (a *Audit) Export(ctx context.Context, w io.Writer, requestIDs ...string) error {
	key, err := a.PublicKey(ctx)
	if err != nil {
		return err
	}
	out := audit.NewWriter(w, key)
	if len(requestIDs) > 0 {
		if err := out.Only(requestIDs...); err != nil {
			return err
		}
	}
	for c, err := range a.checkpoints(ctx) {
		if err != nil {
			return err
		}
		if err := out.Checkpoint(c.audit()); err != nil {
			return err
		}
	}
	for entry, err := range a.selected(ctx, requestIDs) {
		if err != nil {
			return err
		}
		if err := out.Entry(audit.Entry(entry)); err != nil {
			return err
		}
	}
	return out.Close()
}

// selected goes through the chains of some requests, or of all.
func (a *Audit) selected(ctx context.Context, ids []string) iter.Seq2[AuditEntry, error] {
	if len(ids) == 0 {
		return a.entries(ctx, "")
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	return func(yield func(AuditEntry, error) bool) {
		for _, id := range ids {
			for entry, err := range a.Entries(ctx, id) {
				if !yield(entry, err) || err != nil {
					return
				}
			}
		}
	}
}

// VerifyAudit checks an export. An error says that the file is broken; what was
// done to the trail is told by the report. Keyed hashes are not checked, since
// that takes the keyring. opts may be nil.
func VerifyAudit(r io.Reader, opts *AuditOptions) (*AuditReport, error) {
	var key ed25519.PublicKey
	if opts != nil {
		key = opts.Key
	}
	v := verifier(key, nil, opts)
	if err := audit.ReadExport(r, v); err != nil {
		if !errors.Is(err, audit.ErrAltered) {
			return nil, fmt.Errorf("dsr: %w", err)
		}
		return reportOf(v.Done()), fmt.Errorf("dsr: %w", err)
	}
	return reportOf(v.Done()), nil
}

func (o *AuditOptions) requests() []string {
	if o == nil {
		return nil
	}
	return o.Requests
}

func verifier(key ed25519.PublicKey, mac audit.MAC, opts *AuditOptions) *audit.Verifier {
	v := audit.NewVerifier(key, mac)
	if opts != nil {
		if len(opts.Requests) > 0 {
			v.Only(opts.Requests...)
		}
		if opts.Expect.Seq > 0 {
			v.Expect(opts.Expect.Seq, opts.Expect.Hash)
		}
	}
	return v
}

func reportOf(r *audit.Report) *AuditReport {
	out := &AuditReport{
		Chains: r.Chains, Entries: r.Entries, Checkpoints: r.Checkpoints, Unsigned: r.Unsigned,
		Unauthenticated: r.Unauthenticated, Last: AuditMark{Seq: r.LastSeq, Hash: r.LastHash}, Omitted: r.Omitted,
	}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, AuditFinding{RequestID: f.RequestID, Seq: f.Seq, Kind: string(f.Kind), Message: f.Message})
	}
	return out
}
