// Package fault lets tests stop the engine at named points. Production code
// pays one context look-up for each point. A program that is built with the tag
// dsrcrash also obeys its environment, so that a test can kill it where it is
// as it is; without the tag there is no code for that.
package fault

import "context"

type hookKey struct{}

type journalKey struct{}

// WithHook returns a context under which hook is called at every point.
func WithHook(ctx context.Context, hook func(point string)) context.Context {
	return context.WithValue(ctx, hookKey{}, hook)
}

// Point calls the hook of ctx, if there is one.
func Point(ctx context.Context, name string) {
	crash(name)
	if hook, ok := ctx.Value(hookKey{}).(func(string)); ok {
		hook(name)
	}
}

// WithoutJournal returns a context under which an erasure writes without a
// journal, to prove that the crash tests can fail.
func WithoutJournal(ctx context.Context) context.Context {
	return context.WithValue(ctx, journalKey{}, true)
}

// JournalOff reports whether ctx came from WithoutJournal.
func JournalOff(ctx context.Context) bool { return journalOff() || ctx.Value(journalKey{}) != nil }
