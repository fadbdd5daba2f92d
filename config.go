package dsr

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/hashicorp/go-multierror"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/redact"
	"github.com/godsr/dsr/redact/mask"
	"github.com/godsr/dsr/storage"
)

// Config is everything that an engine is made of. New copies it; changing it
// afterwards has no effect.
type Config struct {
	// Datasets describe the databases. At least one is required, unless
	// there are ConnectionTypes.
	Datasets []*graph.Dataset
	// Connections tie datasets to databases. Every dataset needs one.
	Connections []Connection
	// Policies that requests can be submitted under. At least one is
	// required, unless there are ConnectionTypes.
	Policies []graph.Policy
	// Destinations take data packages, by key. Required when a policy has
	// an access rule; a rule without a destination takes the only one, or
	// the one that the catalogue says, see [Definitions.DestinationByDefault].
	Destinations map[string]Destination
	// Store keeps requests. Required.
	Store Store
	// Keyring wraps the keys of requests. Required.
	Keyring Keyring

	// ConnectionTypes and DestinationTypes make what the Catalogue describes,
	// by type. Defaults to none: then all connections and destinations are
	// those above.
	ConnectionTypes  map[string]ConnectionType
	DestinationTypes map[string]DestinationType

	// Taxonomy holds the known data categories. Defaults to
	// graph.DefaultTaxonomy.
	Taxonomy *graph.Taxonomy
	// Identities say how kinds of identity are compared. Defaults to
	// graph.DefaultIdentityKinds; kinds not listed are compared as given.
	Identities []graph.IdentityKind
	// Spool keeps collected rows, sealed. Defaults to NewDirSpool(""), a
	// private folder of the user's under the system's temporary one.
	Spool Spool
	// Notifier is told of receipts, completions and failures. Defaults to
	// none.
	Notifier Notifier
	// Texts render the notices. Defaults to NewTexts(nil): English, German,
	// French and Spanish.
	Texts *Texts
	// DownloadURL is what the token of a download link is added to, such as
	// "https://privacy.example.com/packages/". Defaults to none: notices of
	// completion then have no links.
	DownloadURL string
	// Forms are filled in by people for every request of their action. More
	// can be defined at run time. Defaults to none.
	Forms []manual.Form
	// Files keeps the files that people attach, sealed; it must be a
	// storage.Opener and a storage.Remover too. Defaults to none: then files
	// are refused.
	Files storage.Destination
	// Hooks are told of requests, or asked, where a Flow names them, by key.
	// Defaults to none.
	Hooks map[string]Hook
	// Vendors are asked by e-mail to erase what they hold. Defaults to none.
	Vendors []Vendor
	// Digest says when everybody who has open tasks is told of all of them.
	// Defaults to never.
	Digest Schedule
	// Executor advances requests in the background, once Run is called.
	// Defaults to a LocalExecutor.
	Executor Executor

	// Redaction holds the patterns of names that packages do not show.
	// Defaults to none: then only what datasets say themselves is replaced.
	// Patterns may be replaced at any time; a package is written with those
	// in use when its writing begins.
	Redaction *redact.Registry
	// Encrypter encrypts packages with passphrases and public keys. Defaults
	// to none: such submissions are refused.
	Encrypter storage.Encrypter
	// Attachments returns the files that go into the package of an access
	// rule besides what the databases hold. It is called whenever the
	// package is written. Defaults to none.
	Attachments func(ctx context.Context, request *Request, rule string) ([]*storage.Attachment, error)

	// Flow is what requests have to go through: verification, approval,
	// cooling-off and so on. Defaults to nothing of it.
	Flow Flow
	// Flows take the place of Flow for some policies, by key.
	Flows map[string]Flow
	// Retention says how long what is kept is kept. Defaults to for ever,
	// except for journals, which go with the end of their requests.
	Retention Retention
	// Audit says how the audit trail is signed.
	Audit AuditConfig
	// Progress is called while a request is worked on, from one goroutine
	// at a time for each request. It must return quickly. Defaults to
	// none.
	Progress func(context.Context, Progress)
	// Logger takes what an operator should know; never a personal value.
	// Defaults to none.
	Logger *slog.Logger

	// SharedRows says what an erasure does with rows that rows of others
	// refer to as well. Defaults to SharedErase.
	SharedRows SharedRows
	// Limits bound what one request may use.
	Limits Limits
	// Lease is how long a process that stopped answering keeps a request, or
	// a message that it was sending.
	// It is renewed at a third of this time. Defaults to one minute.
	Lease time.Duration
	// Slice is how long Run works on one request before others that are due
	// have their turn. Defaults to one minute.
	Slice time.Duration
	// Retry says when what failed for the moment is tried again.
	Retry Retry
	// Poll is how often Run looks for requests that other processes made
	// due. Those of its own are seen at once. Defaults to five seconds.
	Poll time.Duration

	// Clock defaults to time.Now, Random to crypto/rand, and NewID to
	// random UUIDs of version 4. Tests inject their own.
	Clock  func() time.Time
	Random io.Reader
	NewID  func() string
}

// Connection ties datasets to the connector that reads and erases them.
type Connection struct {
	// Key names the connection in messages and limits.
	Key       string
	Connector Connector
	// Datasets are the keys of the datasets that live there.
	Datasets []string
	// ReadOnly refuses erasure rules that reach the connection.
	ReadOnly bool
	// Concurrency is how many queries and erasure transactions of all
	// requests together it takes at once. Requests take turns. Defaults to
	// 4.
	Concurrency int
	// Rate bounds how many of them begin in a second, after a burst of as
	// many as Burst, which defaults to 1. Defaults to no bound.
	Rate  float64
	Burst int
	// Timeout is how long a query may go without a row, and a transaction
	// without an end, before it counts as failed for the moment. Defaults to
	// two minutes.
	Timeout time.Duration
}

// Retry says when what failed for the moment is tried again: a connection that
// is down or hangs, a full disk, a transaction that lost against another one. A
// request that meets such a failure waits, tells why in Request.Waiting, and
// goes on by itself, keeping what is done. Every other failure is
// [StatusError] at once.
type Retry struct {
	// After is the first wait, give or take half of it. It doubles with each
	// further failure. Defaults to five seconds.
	After time.Duration
	// Limit is the longest wait. Defaults to five minutes.
	Limit time.Duration
	// GiveUp is how long a request tries in vain before it ends in
	// StatusError. Defaults to three days.
	GiveUp time.Duration
}

// pause is how long to wait after some failures in a row.
func (r Retry) pause(failures int) time.Duration {
	b := backoff.NewExponentialBackOff()
	longest := time.Duration(float64(r.Limit) / (1 + b.RandomizationFactor)) // so that jitter stays within Limit
	b.InitialInterval, b.MaxInterval, b.Multiplier = min(r.After, longest), longest, 2
	pause := b.NextBackOff()
	for range min(failures, 64) {
		pause = b.NextBackOff()
	}
	return pause
}

func (r Retry) withDefaults() Retry {
	set := func(v *time.Duration, to time.Duration) {
		if *v == 0 {
			*v = to
		}
	}
	set(&r.After, 5*time.Second)
	set(&r.Limit, 5*time.Minute)
	set(&r.GiveUp, 72*time.Hour)
	return r
}

// configure validates the configuration and fills in what is left out.
func (e *Engine) configure(c Config) error {
	c.Limits = c.Limits.withDefaults()
	if c.Lease == 0 {
		c.Lease = time.Minute
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.NewID == nil {
		c.NewID = uuid.NewString
	}
	if c.SharedRows == "" {
		c.SharedRows = SharedErase
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Spool == nil {
		c.Spool = NewDirSpool("")
	}
	if c.Taxonomy == nil {
		c.Taxonomy = graph.DefaultTaxonomy()
	}
	if c.Identities == nil {
		c.Identities = graph.DefaultIdentityKinds()
	}
	if c.Slice == 0 {
		c.Slice = time.Minute
	}
	if c.Poll == 0 {
		c.Poll = 5 * time.Second
	}
	c.Retry = c.Retry.withDefaults()
	if c.Audit.Every == 0 {
		c.Audit.Every = time.Hour
	}
	c.Flows = maps.Clone(c.Flows)
	c.ConnectionTypes, c.DestinationTypes = maps.Clone(c.ConnectionTypes), maps.Clone(c.DestinationTypes)
	c.Random = &lockedReader{r: c.Random}
	c.Destinations = maps.Clone(c.Destinations)
	c.Policies = slices.Clone(c.Policies)
	e.config = c

	faults := &multierror.Error{ErrorFormat: formatFaults}
	add := func(format string, args ...any) { faults = multierror.Append(faults, fmt.Errorf(format, args...)) }
	if c.Store == nil {
		add("Store is required: adapters/sqlitestore keeps requests in a file, adapters/memory in memory")
	}
	if c.Keyring == nil {
		add("Keyring is required: NewLocalKeyring wraps keys with one of your own")
	}
	negative := map[string]time.Duration{
		"Lease": c.Lease, "Poll": c.Poll, "Slice": c.Slice, "Retry.After": c.Retry.After, "Retry.Limit": c.Retry.Limit,
		"Retry.GiveUp": c.Retry.GiveUp, "Audit.Every": c.Audit.Every,
	}
	for _, name := range slices.Sorted(maps.Keys(negative)) {
		if negative[name] < 0 {
			add("%s is negative", name)
		}
	}
	if c.Audit.Signer != nil {
		if key, ok := c.Audit.Signer.Public().(ed25519.PublicKey); !ok || len(key) != ed25519.PublicKeySize {
			add("Audit.Signer has a key of type %T; checkpoints are signed with Ed25519", c.Audit.Signer.Public())
		}
	}
	if !slices.Contains([]SharedRows{SharedErase, SharedKeep, SharedRefuse}, c.SharedRows) {
		add("SharedRows is %q; it is one of %s, %s, %s", c.SharedRows, SharedErase, SharedKeep, SharedRefuse)
	}
	e.kinds = map[string]graph.IdentityKind{}
	for _, k := range c.Identities {
		e.kinds[k.Name] = k
	}
	faults = e.configureTypes(faults)
	if c.Store != nil {
		e.config.Store = safeStore{c.Store}
	}
	if c.Keyring != nil {
		e.config.Keyring = safeKeyring{c.Keyring}
	}
	base := e.newGeneration(0)
	e.generations.begin(base)
	faults = base.configure(faults)
	faults = e.configurePeople(faults)
	base.config = e.config
	faults = base.configureFlows(faults)
	if err := faults.ErrorOrNil(); err != nil {
		return &ConfigError{faults: faults.Errors, text: err.Error()}
	}
	fixed := newDefinitions()
	fixed.fixed(&base.config)
	base.defined = fixed.Policies
	return nil
}

// lockedReader lets many goroutines share a reader.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}

func (g *generation) configureDatasets(faults *multierror.Error) *multierror.Error {
	if len(g.config.Datasets) == 0 && len(g.config.ConnectionTypes) == 0 {
		faults = multierror.Append(faults, errors.New("Datasets is empty: graph.LoadFS reads dataset files"))
	}
	m, err := graph.NewDataMap(g.config.Datasets...)
	if err != nil {
		return multierror.Append(faults, err)
	}
	g.datamap = m
	var ds graph.Diagnostics
	for _, a := range m.Addresses() {
		c, _ := m.Collection(a)
		for path, f := range c.All() {
			if f.Masking == nil {
				continue
			}
			if err := mask.Check(f.Masking.Strategy, f.Masking.Configuration); err != nil {
				ds = append(ds, graph.Diagnostic{Severity: graph.Error, Pos: f.Pos, Subject: graph.FieldAddress{Address: a, Path: path}.String(), Message: err.Error()})
			}
		}
	}
	if err := ds.Err(); err != nil {
		faults = multierror.Append(faults, err)
	}
	return faults
}

func (g *generation) configureConnections(faults *multierror.Error) *multierror.Error {
	add := func(format string, args ...any) { faults = multierror.Append(faults, fmt.Errorf(format, args...)) }
	known := map[string]bool{}
	datasets := slices.DeleteFunc(slices.Clone(g.config.Datasets), func(d *graph.Dataset) bool { return d == nil })
	for _, d := range datasets {
		known[d.Key] = true
	}
	keys := map[string]bool{}
	g.connections = map[string]*connection{}
	for i, c := range g.config.Connections {
		if c.Key == "" {
			add("connection %d has no Key", i+1)
		}
		if keys[c.Key] {
			add("two connections have the key %q", c.Key)
		}
		keys[c.Key] = true
		if c.Connector == nil {
			add("connection %q has no Connector", c.Key)
		}
		if c.Concurrency <= 0 {
			c.Concurrency = 4
		}
		if c.Timeout < 0 {
			add("connection %q has a negative Timeout", c.Key)
		}
		if c.Timeout <= 0 {
			c.Timeout = 2 * time.Minute
		}
		if !(c.Rate >= 0) { // also what is no number
			add("connection %q has a negative Rate", c.Key)
		}
		conn := newConnection(&c, g.config.Retry.Limit)
		for _, d := range c.Datasets {
			if !known[d] {
				add("connection %q names dataset %q, which is not among Datasets", c.Key, d)
			}
			if first, ok := g.connections[d]; ok {
				add("dataset %q is claimed by connections %q and %q", d, first.Key, c.Key)
			}
			g.connections[d] = conn
		}
	}
	for _, d := range datasets {
		if g.connections[d.Key] == nil && slices.ContainsFunc(d.Collections, func(c *graph.Collection) bool { return c != nil && !c.SkipProcessing }) {
			add("dataset %q has no connection; list it in the Datasets of one", d.Key)
		}
	}
	return faults
}

// newConnection finds out what a connector can do, and guards it.
func newConnection(c *Connection, longest time.Duration) *connection {
	conn := &connection{Connection: *c}
	conn.dry, _ = c.Connector.(DryRunner)
	conn.asker, _ = c.Connector.(Asker)
	conn.Connector = newGuard(c, longest)
	return conn
}

func (g *generation) configurePolicies(faults *multierror.Error) *multierror.Error {
	add := func(format string, args ...any) { faults = multierror.Append(faults, fmt.Errorf(format, args...)) }
	if len(g.config.Policies) == 0 && len(g.config.ConnectionTypes) == 0 {
		add("Policies is empty")
	}
	g.policies = map[string]*graph.Policy{}
	for i := range g.config.Policies {
		p := &g.config.Policies[i]
		if g.policies[p.Key] != nil {
			add("two policies have the key %q", p.Key)
		}
		g.policies[p.Key] = p
		if err := p.Check(g.config.Taxonomy).Err(); err != nil {
			faults = multierror.Append(faults, err)
		}
		checkPackageNames(p, add)
		for _, r := range p.Rules {
			if r.Action == graph.Erasure && r.Masking != nil {
				if err := mask.Check(r.Masking.Strategy, r.Masking.Configuration); err != nil {
					add("policy %s: rule %q: %w", p.Key, r.Key, err)
				}
			}
			if r.Action == graph.Access {
				if _, err := g.destination(r); err != nil {
					add("policy %s: rule %q: %w", p.Key, r.Key, err)
				}
				if err := storage.CheckName("id-" + r.Key); err != nil {
					add("policy %s: rule %q: its key becomes part of a package's name: %w", p.Key, r.Key, err)
				}
			}
		}
	}
	return faults
}

func keysOf[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
