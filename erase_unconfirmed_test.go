package dsr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// last is the last notice that was sent.
func (o *office) last(t testing.TB) dsr.Notice {
	t.Helper()
	list := o.notifier.Notices()
	require.NotEmpty(t, list)
	return list[len(list)-1]
}

// Where people say that they did not erase, or skip that, a person has to look
// before the data subject hears that the request is complete, and of what it is
// not.
func TestNotErasedByPeople(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(t *testing.T, h *archiveHouse){
		"no":      func(t *testing.T, h *archiveHouse) { h.answer(t, lettersErase, map[string]any{"erased": false}) },
		"skipped": func(t *testing.T, h *archiveHouse) { h.skip(t, lettersErase) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			h.specs[lettersTask] = dsr.TaskSpec{Skip: "they lead nowhere"}
			h.asks(t, "erase")
			h.answer(t, mailboxErase, map[string]any{"erased": true})
			answer(t, h)
			req := h.advanced(t, "r1", dsr.StatusRequiresFinalization)
			require.Equal(t, []string{"paper:letters"}, req.Unconfirmed)
			n := h.last(t)
			require.Equal(t, dsr.NoticeFinalize, n.Kind)
			require.Equal(t, []string{"paper:letters"}, n.Unconfirmed)
			require.Contains(t, n.Text, "did not\nconfirm that everything was erased here:\n\n- paper:letters\n")

			h.restart(t)
			h.done(t, h.Finalize, "r1", dsr.StatusComplete)
			n = h.last(t)
			require.Equal(t, dsr.NoticeComplete, n.Kind)
			require.Equal(t, []string{"paper:letters"}, n.Unconfirmed)
			require.Contains(t, n.Text, "Nobody could confirm to us that your data was erased in one place where")
			require.NotContains(t, n.Text, "paper:letters", "packages may hide such names")
			h.sound(t)
		})
	}
}

// Where everybody says that they erased, nobody is bothered.
func TestErasedByPeople(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.specs[lettersTask] = dsr.TaskSpec{Skip: "they lead nowhere"}
	h.asks(t, "erase")
	h.answer(t, mailboxErase, map[string]any{"erased": true})
	h.answer(t, lettersErase, map[string]any{"erased": true})
	require.Empty(t, h.advanced(t, "r1", dsr.StatusComplete).Unconfirmed)
	require.Empty(t, h.last(t).Unconfirmed)
	require.NotContains(t, h.last(t).Text, "except")
}

// What a form says of an erasure.
func TestFormsThatDoNotConfirm(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		`{"a":true,"b":true}`:  nil,
		`{}`:                   nil,
		`{"a":true,"b":false}`: {"Cellar"},
		`{"a":true,"b":null}`:  {"Cellar"},
		`{"a":null,"b":null}`:  {"Cellar"},
		`{"a":null}`:           {"Cellar"},
		`{"b":true}`:           {"Cellar"},
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			form := textForm("one", "a", "b")
			form.Name = "Cellar"
			o := newDesk(t, nil, form)
			o.waiting(t, "erase", "ada@example.com")
			_, err := o.engine.Forms().UploadJSON(t.Context(), "r1", "one", graph.Erasure, []byte(body), clerk)
			require.NoError(t, err)
			o.resumed(t, "r1")
			status := dsr.StatusComplete
			if want != nil {
				status = dsr.StatusRequiresFinalization
			}
			require.Equal(t, want, o.advanced(t, "r1", status).Unconfirmed)
			require.Equal(t, want, o.last(t).Unconfirmed)
		})
	}
}

// A form that is not confirmed does not keep the package from the data subject.
func TestPackageOfWhatIsNotConfirmed(t *testing.T) {
	t.Parallel()
	o := newDesk(t, nil, textForm("one", "a"))
	o.waiting(t, "both", "ada@example.com")
	o.uploads(t, "r1", "one", `{"a":"found"}`)
	o.uploads(t, "r1", "one", `{"a":false}`)
	o.resumed(t, "r1")
	o.advanced(t, "r1", dsr.StatusRequiresFinalization)
	o.done(t, o.Finalize, "r1", dsr.StatusComplete)
	require.Equal(t, []string{
		"package to ada@example.com packages=r1.json", "finalization required", "complete to ada@example.com",
	}, o.told()[2:])
}

// Of a vendor that was only asked, nobody says that it has erased.
func TestAskedIsNotErased(t *testing.T) {
	t.Parallel()
	o := selling(t, daily)
	o.sendAt(t, begin)
	o.erasing(t, "erase", email("ada@example.com"))
	o.sendAt(t, on(2, 12))
	o.advanced(t, "r1", dsr.StatusComplete)
	n := o.last(t)
	require.Equal(t, dsr.NoticeComplete, n.Kind)
	require.Equal(t, []string{"ads"}, n.Asked)
	require.Contains(t, n.Text, "except for what is named below.")
	require.Contains(t, n.Text, "We have asked these to erase what they hold about you. What they do, we\ncannot see:\n\n- ads\n")
	require.Empty(t, o.outbox(t, "r1"), "nobody is reminded of it")
}
