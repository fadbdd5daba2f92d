package connectortest_test

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/connectortest"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

// fake is a connector in memory of which some methods are replaced, so that it
// breaks one promise. Nil functions keep the method as it is.
type fake struct {
	*memory.Connector
	describe func(ctx context.Context, c *graph.Collection) (*dsr.Schema, error)
	read     func(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error]
	apply    func(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error)
	dryApply func(ctx context.Context, ch *dsr.Chunk) ([]string, error)
	ping     func(ctx context.Context) error
}

func (f *fake) Describe(ctx context.Context, c *graph.Collection) (*dsr.Schema, error) {
	if f.describe != nil {
		return f.describe(ctx, c)
	}
	return f.Connector.Describe(ctx, c)
}

func (f *fake) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	if f.read != nil {
		return f.read(ctx, q)
	}
	return f.Connector.Read(ctx, q)
}

func (f *fake) Apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	if f.apply != nil {
		return f.apply(ctx, ch)
	}
	return f.Connector.Apply(ctx, ch)
}

func (f *fake) DryApply(ctx context.Context, ch *dsr.Chunk) ([]string, error) {
	if f.dryApply != nil {
		return f.dryApply(ctx, ch)
	}
	return f.Connector.DryApply(ctx, ch)
}

func (f *fake) Ping(ctx context.Context) error {
	if f.ping != nil {
		return f.ping(ctx)
	}
	return f.Connector.Ping(ctx)
}

// breaking decorates each connector with a fake of its own.
func breaking(promise func(f *fake)) connectortest.Harness {
	return memoryHarness(func(conn *memory.Connector) dsr.Connector {
		f := &fake{Connector: conn}
		promise(f)
		return f
	})
}

func TestFakeWithoutReplacements(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, breaking(func(*fake) {}))
}

func TestEachCheckFailsForItsFake(t *testing.T) {
	t.Parallel()
	fakes := allFakes()
	for _, check := range connectortest.Checks() {
		t.Run(check.Name, func(t *testing.T) {
			t.Parallel()
			promise, ok := fakes[check.Name]
			require.True(t, ok, "no fake proves that this check can fail")
			require.Error(t, check.Run(t.Context(), breaking(promise)))
		})
	}
	for name := range fakes {
		checkNamed(t, name)
	}
}

// Some checks hold several promises; these fakes break the others.
func TestChecksFailForFurtherFakes(t *testing.T) {
	t.Parallel()
	for _, further := range furtherFakes() {
		t.Run(further.check+", "+further.breaks, func(t *testing.T) {
			t.Parallel()
			require.Error(t, checkNamed(t, further.check).Run(t.Context(), breaking(further.promise)))
		})
	}
}

func checkNamed(t *testing.T, name string) connectortest.Check {
	t.Helper()
	checks := connectortest.Checks()
	i := slices.IndexFunc(checks, func(c connectortest.Check) bool { return c.Name == name })
	require.GreaterOrEqual(t, i, 0, "there is no check %q", name)
	return checks[i]
}

// A read-only setup must be passed on: a harness that opens a connector which
// may write is noticed as well.
func TestHarnessThatForgetsReadOnly(t *testing.T) {
	t.Parallel()
	h := memoryHarness(plain)
	open := h.Open
	h.Open = func(ctx context.Context, s connectortest.Setup) (dsr.Connector, connectortest.Database, error) {
		s.ReadOnly = false
		return open(ctx, s)
	}
	require.Error(t, checkNamed(t, "read-only refused").Run(t.Context(), h))
}
