package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/storage"
)

// A destination that fails is told of, and leaves a request as it can go on.
func TestFilesOfADestinationThatFails(t *testing.T) {
	t.Parallel()
	away := func() error { return errors.New("the shelf is away") }
	for step, want := range map[string]string{
		"create": "dsr: keep a file of request r1: the shelf is away",
		"write":  "dsr: seal a file of request r1: the shelf is away",
		"commit": "dsr: keep a file of request r1: the shelf is away",
	} {
		o, shelf := newFiles(t, nil, textForm("crm", "a"))
		o.waiting(t, "access", "ada@example.com")
		shelf.at(step, away)
		large := strings.NewReader(strings.Repeat("x", 1<<20))
		_, err := o.engine.Attachments().Add(t.Context(), "r1", "n", "", true, large, clerk)
		require.EqualError(t, err, want, step)
		list, err := o.engine.Attachments().List(t.Context(), "r1")
		require.NoError(t, err)
		require.Empty(t, list)
		require.Empty(t, shelf.names())
		shelf.at(step, nil)
		o.attached(t, "n", "again", true)
		o.uploads(t, "r1", "crm", `{}`)
		o.resumed(t, "r1")
		o.advanced(t, "r1", dsr.StatusComplete)
		require.Contains(t, o.manualPart(t, "r1.json"), `"file_name":"n"`)
	}
}

// A file whose last bytes could not be written is not taken for a whole one.
func TestFileThatIsCutOff(t *testing.T) {
	t.Parallel()
	o, shelf := newFiles(t, nil, textForm("crm", "a"))
	o.waiting(t, "access", "ada@example.com")
	writes := 0
	shelf.at("write", func() error {
		if writes++; writes > 1 { // after the head
			return errors.New("the shelf is full")
		}
		return nil
	})
	_, err := o.engine.Attachments().Add(t.Context(), "r1", "n", "", true, strings.NewReader("short"), clerk)
	require.EqualError(t, err, "dsr: seal a file of request r1: the shelf is full")
	require.Empty(t, shelf.names())
}

// What cannot be removed at the end stops the request; what cannot be read
// stops the package.
func TestRequestEndsWithItsFilesRemoved(t *testing.T) {
	t.Parallel()
	o, shelf := newFiles(t, nil, textForm("crm", "a"))
	ctx, away := t.Context(), func() error { return errors.New("the shelf is away") }
	o.waiting(t, "access", "ada@example.com")
	file := o.attached(t, "n", "content", true)
	o.uploads(t, "r1", "crm", `{}`)
	o.resumed(t, "r1")
	shelf.at("open", away)
	_, err := o.Advance(ctx, "r1")
	require.EqualError(t, err, `dsr: request r1 failed at stage deliver: package of rule "access": storage: open a file for the package: dsr: open a file of request r1: the shelf is away`)
	require.Empty(t, o.packages.names())
	shelf.at("open", nil)
	shelf.at("remove", away)
	o.done(t, o.Retry, "r1", dsr.StatusInProcessing)
	_, err = o.Advance(ctx, "r1")
	require.EqualError(t, err, "dsr: request r1 failed at stage finish: dsr: remove an attached file: the shelf is away")
	require.EqualError(t, o.engine.Attachments().Remove(ctx, "r1", file.ID, clerk), "dsr: remove an attached file: the shelf is away")
	list, err := o.engine.Attachments().List(ctx, "r1")
	require.NoError(t, err)
	require.Empty(t, list)
	require.Len(t, shelf.names(), 1)
	shelf.at("remove", nil)
	o.done(t, o.Retry, "r1", dsr.StatusInProcessing)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Empty(t, shelf.names())
}

// A verb whose files could not be removed has still been carried out; canceling
// again removes them.
func TestCancelAgainRemovesFiles(t *testing.T) {
	t.Parallel()
	o, shelf := newFiles(t, nil, textForm("crm", "a"))
	o.waiting(t, "access", "ada@example.com")
	o.attached(t, "n", "content", true)
	shelf.at("remove", func() error { return errors.New("the shelf is away") })
	_, err := o.Cancel(t.Context(), "r1", clerk)
	require.EqualError(t, err, "dsr: remove an attached file: the shelf is away")
	o.requireStatus(t, "r1", dsr.StatusCanceled)
	require.Len(t, shelf.names(), 1)
	shelf.at("remove", nil)
	o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
	require.Empty(t, shelf.names())
}

// A process that dies between the upload of a file and its commit leaves a
// sealed file that the end of the request removes, however it ends.
func TestFileOfAProcessThatDied(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, o *office){
		"complete": func(t *testing.T, o *office) {
			t.Helper()
			require.NoError(t, o.engine.Forms().Disable(t.Context(), "crm", true))
			o.advanced(t, "r1", dsr.StatusComplete)
		},
		"canceled": func(t *testing.T, o *office) { t.Helper(); o.done(t, o.Cancel, "r1", dsr.StatusCanceled) },
		"resubmitted": func(t *testing.T, o *office) {
			t.Helper()
			o.done(t, o.Resubmit, "r1", dsr.StatusApproved)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, shelf := newFiles(t, nil, textForm("crm", "a"))
			store := o.hook(t)
			o.waiting(t, "access", "ada@example.com")
			shelf.at("commit", func() error { // what comes after is not stored any more
				store.set(func(*dsr.StoreChange) error { return errKilled })
				shelf.at("remove", func() error { return errKilled })
				return nil
			})
			_, err := o.engine.Attachments().Add(t.Context(), "r1", "n", "", true, strings.NewReader("CANARY"), clerk)
			require.ErrorIs(t, err, errKilled)
			require.Len(t, shelf.names(), 1)
			store.set(nil)
			shelf.at("remove", nil)
			list, err := o.engine.Attachments().List(t.Context(), "r1")
			require.NoError(t, err)
			require.Empty(t, list, "nobody was told that it was attached")
			end(t, o)
			require.Empty(t, shelf.names())
		})
	}
}

// A file whose request goes on, or begins anew, while it comes in is refused and
// removed.
func TestFileThatComesTooLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, o *office)
		want      string
	}{
		"canceled": {
			func(t *testing.T, o *office) { t.Helper(); o.done(t, o.Cancel, "r1", dsr.StatusCanceled) },
			"dsr: cannot change request r1: it is canceled; files and comments can be added while it waits for somebody",
		},
		"goes on": {
			func(t *testing.T, o *office) {
				t.Helper()
				require.NoError(t, o.engine.Forms().Disable(t.Context(), "crm", true))
			},
			"dsr: cannot change request r1: it is in_processing; files and comments can be added while it waits for somebody",
		},
		"resubmitted": {
			func(t *testing.T, o *office) { t.Helper(); o.done(t, o.Resubmit, "r1", dsr.StatusApproved) },
			"dsr: the request was changed meanwhile: request r1 was begun anew while the file was attached; attach it again",
		},
		"resubmitted and waiting": {
			func(t *testing.T, o *office) {
				t.Helper()
				o.done(t, o.Resubmit, "r1", dsr.StatusApproved)
				o.advanced(t, "r1", dsr.StatusRequiresInput)
				o.uploads(t, "r1", "crm", `{"a":"1"}`)
			},
			"dsr: the request was changed meanwhile: request r1 was begun anew while the file was attached; attach it again",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, shelf := newFiles(t, nil, textForm("crm", "a"))
			o.waiting(t, "access", "ada@example.com")
			shelf.at("commit", func() error { c.meanwhile(t, o); return nil })
			_, err := o.engine.Attachments().Add(t.Context(), "r1", "n", "", true, strings.NewReader("CANARY"), clerk)
			require.EqualError(t, err, c.want)
			require.ErrorIs(t, err, dsr.ErrConflict)
			require.Empty(t, shelf.names())
		})
	}
}

// People who do things at the same moment lose nothing of each other's; of two
// answers to one form the last counts, as a whole.
func TestPeopleAtTheSameTime(t *testing.T) {
	t.Parallel()
	o, shelf := newFiles(t, nil, textForm("one", "a", "b"), textForm("two", "c"))
	o.waiting(t, "access", "ada@example.com")
	const people = 5
	var wg sync.WaitGroup
	start := make(chan struct{})
	errs := make(chan error, 3*people)
	together := func(do func() error) {
		wg.Go(func() {
			<-start
			errs <- do()
		})
	}
	files, forms, ctx := o.engine.Attachments(), o.engine.Forms(), t.Context()
	for n := range people {
		by := dsr.By{Actor: fmt.Sprint("clerk-", n)}
		value := fmt.Sprint(n)
		together(func() error {
			_, err := forms.Upload(ctx, "r1", "one", graph.Access, map[string]any{"a": value, "b": value}, by)
			return err
		})
		together(func() error { return files.Comment(ctx, "r1", "", value, true, by) })
	}
	together(func() error {
		_, err := forms.Upload(ctx, "r1", "two", graph.Access, map[string]any{"c": "c"}, clerk)
		return err
	})
	for n := range 3 {
		together(func() error {
			_, err := files.Add(ctx, "r1", fmt.Sprint("file-", n), "", true, io.LimitReader(strings.NewReader("content"), 7), clerk)
			return err
		})
	}
	close(start)
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	view, err := forms.View(ctx, "r1", "one", graph.Access)
	require.NoError(t, err)
	require.Equal(t, view.Fields[0].Value, view.Fields[1].Value, "an upload counts as a whole")
	require.Equal(t, `{"checked":true,"fields":{"c":"c"}}`, o.viewed(t, "r1", "two", graph.Access))
	comments, err := files.Comments(ctx, "r1")
	require.NoError(t, err)
	var said []string
	for _, c := range comments {
		said = append(said, c.Text)
	}
	slices.Sort(said)
	require.Equal(t, []string{"0", "1", "2", "3", "4"}, said)
	list, err := files.List(ctx, "r1")
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.Len(t, shelf.names(), 3)
	o.sound(t)

	// Two who resume: the request goes on once.
	both := make(chan error, 2)
	begun := make(chan struct{})
	for range 2 {
		go func() {
			<-begun
			_, err := forms.Resume(ctx, "r1", clerk)
			both <- err
		}()
	}
	close(begun)
	first, second := <-both, <-both
	if first != nil {
		first, second = second, first
	}
	require.NoError(t, first)
	require.Equal(t, &manual.ResumeStatusError{RequestID: "r1", Status: "in_processing"}, second)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, 1, strings.Count(strings.Join(o.actions(t, "r1"), " "), "resumed"))
	require.Empty(t, shelf.names())
}

// The host's own configuration is held to what files need.
func TestFilesNeedADestinationThatReadsAndRemoves(t *testing.T) {
	t.Parallel()
	o := newDesk(t, nil)
	o.config.Files = onlyCreates{}
	o.config.Forms = []manual.Form{textForm("a", "x"), textForm("a", "y"), textForm("comments", "z"), {Key: "no fields"}}
	_, err := dsr.New(o.config)
	require.ErrorContains(t, err, "Files must be a storage.Opener and a storage.Remover, so that files can be read again and removed; dsr_test.onlyCreates is not")
	require.ErrorContains(t, err, `two forms have the key "a"`)
	require.ErrorContains(t, err, `Forms: form 3 ("comments"): dsr: form "comments": packages keep files or comments under that key; choose another`)
	require.ErrorContains(t, err, `Forms: form 4 ("no fields"): manual: 2 faults:`)
}

type onlyCreates struct{}

func (onlyCreates) Create(context.Context, string) (storage.Upload, error) {
	return nil, errors.New("not used")
}
