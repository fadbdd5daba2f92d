package dsr

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
)

// Flow is what a request has to go through before and after the work. A request
// keeps the flow under which it was submitted. The zero Flow asks for nothing:
// the work begins at once.
type Flow struct {
	// VerifyIdentity sends a code of six digits to the data subject through
	// the Notifier, which Requests.Verify wants to see. Submissions that say
	// Verified are exempt.
	//
	// The code proves that whoever reads one of the addresses which the
	// Notifier reaches has submitted the request; so a submission may hold
	// only one value of each kind of identity, else one mailbox would vouch
	// for another. With more, a host verifies them one by one and says
	// Verified. Kinds that the Notifier does not reach are not proved.
	VerifyIdentity bool
	// CodeTTL is how long a code is good. Defaults to 10 minutes.
	CodeTTL time.Duration
	// CodeAttempts is how many wrong codes void a code. Defaults to 3.
	CodeAttempts int
	// Codes is how many codes are sent for a request at most, which bounds
	// how often one can guess. Defaults to 5.
	Codes int
	// Duplicates finds requests that repeat an earlier one. Defaults to not
	// looking for them.
	Duplicates *Duplicates
	// PreApproval names the checks that each answer through
	// Requests.PreApproval. When all say yes the request is approved; when
	// one says no a person decides.
	PreApproval []string
	// Approval asks for a person's approval. Where there are pre-approval
	// checks, their answers are enough.
	Approval bool
	// Before and After are the hooks that are called before anything is
	// collected, and when all is done, in their order, each once for a
	// submission. Those count that are configured when the request gets
	// there. Checks in PreApproval whose name is a key of Config.Hooks are
	// called as well; others are up to the host.
	Before, After []Hooking
	// Silent keeps all notices from the data subject, but for verification
	// codes.
	Silent bool
	// CoolingOff passes between approval and work, in which the data subject
	// may think again. Defaults to none.
	CoolingOff time.Duration
	// Finalization asks for a person at the end of requests that erase.
	Finalization bool
	// Timeframe is how long the answer may take, from RequestedAt. Defaults
	// to no deadline.
	Timeframe time.Duration
}

// Duplicates says when a request repeats another: both are under the same
// policy, and share a value of every kind of identity in Kinds. Only requests
// that are verified, or need not be, and that were neither denied nor canceled
// can be repeated, and a request is compared only once it is verified itself:
// so nobody can get a request refused, or approved, by submitting another one.
type Duplicates struct {
	// Window is how far back requests are looked at. Defaults to 365 days.
	Window time.Duration
	// Kinds defaults to "email". One that no dataset has is a fault, unless
	// datasets come from the [Catalogue]: requests are compared all the same.
	Kinds []string
}

// Retention says how long what is kept is kept. A request keeps the rules under
// which it was submitted. Zero means for ever, except for journals.
type Retention struct {
	// Unverified requests are canceled, counted from their submission.
	Unverified time.Duration
	// Collected rows of a request that stopped before its erasure, and waits
	// for a person, counted from its stop. When it goes on, it collects anew.
	Collected time.Duration
	// Journals hold what was erased, sealed, counted as all that follows
	// from the end of the request. Zero shreds a journal in the commit that
	// ends the request.
	Journals time.Duration
	// Packages are removed from destinations that are a Remover.
	Packages time.Duration
	// Identities are shredded together with what people said of the request.
	// Look-ups by identity find it no longer.
	Identities time.Duration
	// Logs are execution logs.
	Logs time.Duration
	// Messages to the data subject that were refused for good, or given up,
	// are dropped from the outbox. They go with Identities in any case.
	Messages time.Duration
	// Requests vanish, all but their audit trail, which holds no person.
	Requests time.Duration
}

func (f Flow) withDefaults() Flow {
	if f.CodeTTL == 0 {
		f.CodeTTL = 10 * time.Minute
	}
	if f.CodeAttempts == 0 {
		f.CodeAttempts = 3
	}
	if f.Codes == 0 {
		f.Codes = 5
	}
	if f.Duplicates != nil {
		d := *f.Duplicates
		if d.Window == 0 {
			d.Window = 365 * 24 * time.Hour
		}
		if len(d.Kinds) == 0 {
			d.Kinds = []string{"email"}
		}
		f.Duplicates = &d
	}
	f.PreApproval, f.Before, f.After = slices.Clone(f.PreApproval), slices.Clone(f.Before), slices.Clone(f.After)
	return f
}

// asksHost reports whether a pre-approval check of a flow is one that the host
// answers itself. No hook of the catalogue may answer in its place.
func (c *Config) asksHost(check string) bool {
	asks := func(f *Flow) bool { return c.Hooks[check] == nil && slices.Contains(f.PreApproval, check) }
	for _, f := range c.Flows {
		if asks(&f) {
			return true
		}
	}
	return asks(&c.Flow)
}

// flow returns the flow of a policy.
func (g *generation) flow(policy string) Flow {
	if f, ok := g.config.Flows[policy]; ok {
		return f.withDefaults()
	}
	return g.config.Flow.withDefaults()
}

// erases reports whether a policy may erase; one that is not configured here
// may.
func (g *generation) erases(policy string) bool {
	p, ok := g.policies[policy]
	return !ok || p.Has(graph.Erasure)
}

// lifecycle is the flow as a request remembers it.
func (f Flow) lifecycle(keep Retention, erases bool) lifecycle.Flow {
	return lifecycle.Flow{
		Verify: f.VerifyIdentity, CodeAttempts: f.CodeAttempts, Codes: f.Codes,
		Silent: f.Silent, PreApproval: f.PreApproval, Approve: f.Approval, CoolingOff: f.CoolingOff, Finalize: f.Finalization && erases,
		Keep: lifecycle.Retention{
			Unverified: keep.Unverified, Collected: keep.Collected, Journal: keep.Journals, Packages: keep.Packages,
			Identities: keep.Identities, Log: keep.Logs, Messages: keep.Messages, Request: keep.Requests,
		},
	}
}

// lifecycle is the flow of a request that begins under a policy.
func (g *generation) lifecycle(policy string) lifecycle.Flow {
	flow := g.flow(policy)
	f, own := flow.lifecycle(g.config.Retention, g.erases(policy)), g.engine.generations.base.flow(policy).PreApproval
	for _, check := range f.PreApproval {
		if slices.Contains(g.checks, check) && !slices.Contains(own, check) {
			f.Removable = append(f.Removable, check)
		}
	}
	return f
}

func (g *generation) configureFlows(faults *multierror.Error) *multierror.Error {
	check := func(name string, f Flow) {
		add := func(format string, args ...any) {
			faults = multierror.Append(faults, fmt.Errorf("%s: %w", name, fmt.Errorf(format, args...)))
		}
		if f.VerifyIdentity && g.config.Notifier == nil {
			add("VerifyIdentity needs a Notifier that sends the code to the data subject")
		}
		var window time.Duration
		if f.Duplicates != nil {
			window = f.Duplicates.Window
		}
		for _, setting := range []struct {
			name  string
			value int64
		}{
			{"CodeTTL", int64(f.CodeTTL)}, {"CodeAttempts", int64(f.CodeAttempts)}, {"Codes", int64(f.Codes)},
			{"CoolingOff", int64(f.CoolingOff)}, {"Timeframe", int64(f.Timeframe)}, {"Duplicates.Window", int64(window)},
		} {
			if setting.value < 0 {
				add("%s is negative", setting.name)
			}
		}
		if f.Duplicates != nil && g.datamap != nil && len(g.config.ConnectionTypes) == 0 {
			for _, kind := range f.withDefaults().Duplicates.Kinds {
				if !g.datasetKind(kind) {
					add("Duplicates compares identity kind %q, which no dataset has", kind)
				}
			}
		}
		for _, phase := range []struct {
			name  string
			hooks []Hooking
		}{{"Before", f.Before}, {"After", f.After}} {
			for i, h := range phase.hooks {
				if g.config.Hooks[h.Hook] == nil {
					add("%s names hook %q, which is not in Hooks", phase.name, h.Hook)
				}
				if slices.ContainsFunc(phase.hooks[:i], func(o Hooking) bool { return o.Hook == h.Hook }) {
					add("%s names hook %q twice", phase.name, h.Hook)
				}
			}
		}
		for i, check := range f.PreApproval {
			if strings.TrimSpace(check) == "" || slices.Contains(f.PreApproval[:i], check) {
				add("PreApproval names an empty check, or one twice")
			}
		}
	}
	check("Flow", g.config.Flow)
	for _, policy := range slices.Sorted(maps.Keys(g.config.Flows)) {
		if g.policies[policy] == nil {
			faults = multierror.Append(faults, fmt.Errorf("Flows has policy %q, which is not among Policies", policy))
		}
		check("Flows of policy "+policy, g.config.Flows[policy])
	}
	k := g.config.Retention
	for _, rule := range []struct {
		name string
		keep time.Duration
	}{
		{"Unverified", k.Unverified}, {"Collected", k.Collected}, {"Journals", k.Journals}, {"Packages", k.Packages},
		{"Identities", k.Identities}, {"Logs", k.Logs}, {"Messages", k.Messages}, {"Requests", k.Requests},
	} {
		if rule.keep < 0 {
			faults = multierror.Append(faults, fmt.Errorf("Retention.%s is negative", rule.name))
		}
	}
	return faults
}
