package dsr_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

var comparing = dsr.Flow{Approval: true, Duplicates: &dsr.Duplicates{}}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	both := func(email, phone string) dsr.Identities {
		return dsr.Identities{"email": {email}, "phone_number": {phone}}
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		name   string
		rule   dsr.Duplicates
		first  dsr.Submission
		after  func(t *testing.T, o *office) // what happens between
		second dsr.Submission
		want   dsr.Status
	}{
		{"same e-mail", dsr.Duplicates{}, submission("access", "ada@example.com"), nil, submission("access", "ada@example.com"), dsr.StatusDuplicate},
		{"in another case", dsr.Duplicates{}, submission("access", "Ada@Example.com"), nil, submission("access", " ADA@example.COM "), dsr.StatusDuplicate},
		{"one of several", dsr.Duplicates{}, submission("access", "a@example.com", "ada@example.com"), nil, submission("access", "ada@example.com", "c@example.com"), dsr.StatusDuplicate},
		{"another e-mail", dsr.Duplicates{}, submission("access", "ada@example.com"), nil, submission("access", "bob@example.com"), dsr.StatusPending},
		{"another policy", dsr.Duplicates{}, submission("access", "ada@example.com"), nil, submission("erase", "ada@example.com"), dsr.StatusPending},
		{"at the end of the year", dsr.Duplicates{}, submission("access", "ada@example.com"), wait(365 * day), submission("access", "ada@example.com"), dsr.StatusDuplicate},
		{"after a year", dsr.Duplicates{}, submission("access", "ada@example.com"), wait(365*day + time.Microsecond), submission("access", "ada@example.com"), dsr.StatusPending},
		{"in the window", dsr.Duplicates{Window: day}, submission("access", "ada@example.com"), wait(day), submission("access", "ada@example.com"), dsr.StatusDuplicate},
		{"outside of the window", dsr.Duplicates{Window: day}, submission("access", "ada@example.com"), wait(day + time.Microsecond), submission("access", "ada@example.com"), dsr.StatusPending},
		{"denied", dsr.Duplicates{}, submission("access", "ada@example.com"), by((*dsr.Requests).Deny), submission("access", "ada@example.com"), dsr.StatusPending},
		{"canceled", dsr.Duplicates{}, submission("access", "ada@example.com"), by((*dsr.Requests).Cancel), submission("access", "ada@example.com"), dsr.StatusPending},
		{"deleted", dsr.Duplicates{}, submission("access", "ada@example.com"), by((*dsr.Requests).Delete), submission("access", "ada@example.com"), dsr.StatusPending},
		{"approved", dsr.Duplicates{}, submission("access", "ada@example.com"), by((*dsr.Requests).Approve), submission("access", "ada@example.com"), dsr.StatusDuplicate},
		{"complete", dsr.Duplicates{}, submission("access", "ada@example.com"), func(t *testing.T, o *office) {
			o.done(t, o.Approve, "r1", dsr.StatusApproved)
			o.advanced(t, "r1", dsr.StatusComplete)
		}, submission("access", "ada@example.com"), dsr.StatusDuplicate},
		{"both kinds", dsr.Duplicates{Kinds: []string{"email", "phone_number"}}, dsr.Submission{Policy: "access", Identities: both("ada@example.com", "+15550100")}, nil, dsr.Submission{Policy: "access", Identities: both("ada@example.com", "+15550100")}, dsr.StatusDuplicate},
		{"one kind of two", dsr.Duplicates{Kinds: []string{"email", "phone_number"}}, dsr.Submission{Policy: "access", Identities: both("ada@example.com", "+15550100")}, nil, dsr.Submission{Policy: "access", Identities: both("ada@example.com", "+15550199")}, dsr.StatusPending},
		{"a kind is missing", dsr.Duplicates{Kinds: []string{"email", "phone_number"}}, dsr.Submission{Policy: "access", Identities: both("ada@example.com", "+15550100")}, nil, submission("access", "ada@example.com"), dsr.StatusPending},
		{"a kind that does not count", dsr.Duplicates{}, dsr.Submission{Policy: "access", Identities: both("ada@example.com", "+15550100")}, nil, dsr.Submission{Policy: "access", Identities: both("bob@example.com", "+15550100")}, dsr.StatusPending},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{Approval: true, Duplicates: &c.rule}, withPhones(t))
			o.submitted(t, c.first)
			if c.after != nil {
				c.after(t, o)
			}
			req := o.submitted(t, c.second)
			require.Equal(t, "r2", req.ID)
			require.Equal(t, c.want, req.Status)
			repeats := map[dsr.Status]string{dsr.StatusDuplicate: "r1"}[c.want]
			require.Equal(t, repeats, req.DuplicateOf)
			require.Equal(t, repeats, o.get(t, "r2").DuplicateOf)
		})
	}
}

// withPhones gives customers telephone numbers.
func withPhones(t testing.TB) func(*dsr.Config) {
	const email = "          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}\n"
	return func(c *dsr.Config) {
		c.Datasets = load(t, strings.Replace(eraseShopYAML, email, email+"          - {name: phone, fides_meta: {identity: phone_number, data_type: string}}\n", 1))
	}
}

func wait(d time.Duration) func(*testing.T, *office) {
	return func(_ *testing.T, o *office) { o.clock.add(d) }
}

func by(verb func(*dsr.Requests, context.Context, string, dsr.By) (*dsr.Request, error)) func(*testing.T, *office) {
	return func(t *testing.T, o *office) {
		_, err := verb(o.Requests, t.Context(), "r1", clerk)
		require.NoError(t, err)
	}
}

// Two kinds that are found in two different requests are found in none.
func TestKindsMustMatchInOneRequest(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true, Duplicates: &dsr.Duplicates{Kinds: []string{"email", "phone_number"}}}, withPhones(t))
	for _, who := range [][2]string{{"ada@example.com", "+15550100"}, {"bob@example.com", "+15550199"}, {"ada@example.com", "+15550199"}} {
		req := o.submitted(t, dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {who[0]}, "phone_number": {who[1]}}})
		require.Equal(t, dsr.StatusPending, req.Status)
	}
	req := o.submitted(t, dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"bob@example.com"}, "phone_number": {"+15550199"}}})
	require.Equal(t, "r2", req.DuplicateOf)
}

func TestOldestRequestIsRepeated(t *testing.T) {
	t.Parallel()
	o := newOffice(t, comparing, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	o.clock.add(time.Hour)
	o.submitted(t, submission("access", "ada@example.com"))
	o.done(t, o.Approve, "r2", dsr.StatusApproved)
	o.clock.add(time.Hour)
	require.Equal(t, "r1", o.submitted(t, submission("access", "ada@example.com")).DuplicateOf)
	// Without the first, an approved duplicate is the one that counts, and one
	// that waits for a decision does not.
	o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
	require.Equal(t, "r2", o.submitted(t, submission("access", "ada@example.com")).DuplicateOf)
	o.done(t, o.Cancel, "r2", dsr.StatusCanceled)
	require.Empty(t, o.submitted(t, submission("access", "ada@example.com")).DuplicateOf)
}

// Nobody can stand in the way of others with requests that they cannot verify,
// and nobody learns from one that others exist.
func TestUnverifiedRequestsAreNoDuplicates(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{VerifyIdentity: true, Duplicates: &dsr.Duplicates{}}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	first := o.code(t)
	req := o.submitted(t, submission("access", "ada@example.com"))
	second := o.code(t)
	require.Equal(t, dsr.StatusUnverified, req.Status)
	require.Empty(t, req.DuplicateOf)

	// The later one is verified first: it does not repeat the other.
	req, err := o.Verify(t.Context(), "r2", second)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusApproved, req.Status)
	require.Empty(t, req.DuplicateOf)
	// A third is no duplicate before it is verified, and one then.
	req = o.submitted(t, submission("access", "ada@example.com"))
	require.Equal(t, dsr.StatusUnverified, req.Status)
	require.Empty(t, req.DuplicateOf)
	_, err = o.Verify(t.Context(), "r3", wrongCode(o.code(t)))
	require.ErrorIs(t, err, dsr.ErrWrongCode)
	require.Empty(t, o.get(t, "r3").DuplicateOf)
	req, err = o.Verify(t.Context(), "r3", o.code(t))
	require.NoError(t, err)
	require.Equal(t, dsr.StatusDuplicate, req.Status)
	require.Equal(t, "r2", req.DuplicateOf)
	// So is the first, late as it comes.
	req, err = o.Verify(t.Context(), "r1", first)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusDuplicate, req.Status)
	require.Equal(t, "r2", req.DuplicateOf)
	// What the host verified itself is compared at once.
	s := submission("access", "ada@example.com")
	s.Verified = true
	require.Equal(t, "r2", o.submitted(t, s).DuplicateOf)
}

func TestDuplicatesAreDecidedByAPerson(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Duplicates: &dsr.Duplicates{}, PreApproval: []string{"fraud"}, CoolingOff: time.Hour}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	o.requireStatus(t, "r1", dsr.StatusAwaitingPreApproval)
	for range 2 {
		o.submitted(t, submission("access", "ada@example.com"))
	}
	o.advanced(t, "r2", dsr.StatusDuplicate)
	require.Empty(t, o.db().readCounts())
	_, err := o.PreApproval(t.Context(), "r2", "fraud", true, clerk)
	require.EqualError(t, err, "dsr: cannot answer pre-approval for request r2: it is duplicate; answer pre-approval takes a request that is awaiting_pre_approval")

	// Approved, its checks are not asked any more.
	o.clock.add(time.Minute)
	req := o.done(t, o.Approve, "r2", dsr.StatusApproved)
	require.Equal(t, "r1", req.DuplicateOf, "what it was stays told")
	require.Equal(t, begin.Add(time.Minute), req.ReviewedAt)
	require.Equal(t, begin.Add(time.Hour+time.Minute), req.DueAt)
	o.clock.add(time.Hour)
	o.advanced(t, "r2", dsr.StatusComplete)
	require.Equal(t, []string{"received", "approved", "started", "planned", "collected", "delivered", "completed"}, o.actions(t, "r2"))

	o.refused(t, func(ctx context.Context, id string, _ dsr.By) (*dsr.Request, error) {
		return o.Deny(ctx, id, dsr.By{Actor: "a"})
	}, "r3",
		dsr.ErrNoReason, "dsr: cannot deny request r3: a denial needs a reason, which the data subject has a right to know")
	o.done(t, o.Deny, "r3", dsr.StatusDenied)
}

// To resubmit a request looks for what it repeats anew.
func TestResubmittedDuplicates(t *testing.T) {
	t.Parallel()
	o := newOffice(t, comparing, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	o.clock.add(time.Hour)
	o.submitted(t, submission("access", "ada@example.com"))
	req := o.done(t, o.Resubmit, "r2", dsr.StatusDuplicate)
	require.Equal(t, "r1", req.DuplicateOf)
	o.done(t, o.Deny, "r1", dsr.StatusDenied)
	req = o.done(t, o.Resubmit, "r2", dsr.StatusPending)
	require.Empty(t, req.DuplicateOf)
	// The first one, begun anew, repeats the second now, and never itself.
	req = o.done(t, o.Resubmit, "r1", dsr.StatusDuplicate)
	require.Equal(t, "r2", req.DuplicateOf)
	o.done(t, o.Cancel, "r2", dsr.StatusCanceled)
	req = o.done(t, o.Resubmit, "r1", dsr.StatusPending)
	require.Empty(t, req.DuplicateOf)
}
