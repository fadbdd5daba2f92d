package dsr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// maxBulk bounds the requests of one bulk verb, as Fides does.
const maxBulk = 10_000

// Selection names requests by ID or by a filter, without those of Except.
type Selection struct {
	IDs    []string
	Filter *Filter
	// Except are the IDs of requests that there are: one that is mistyped
	// would except nothing, and is [ErrNotFound].
	Except []string
}

// Verb is one of the methods of [Requests] that somebody does to a request, such
// as [Requests.Approve].
type Verb func(ctx context.Context, id string, by By) (*Request, error)

// BulkResult says what a bulk verb came to, in the order of the selection.
type BulkResult struct {
	Succeeded []string
	Failed    []BulkFailure
}

// BulkFailure is a request that a bulk verb could not be applied to.
type BulkFailure struct {
	ID  string
	Err error
}

// Bulk applies a verb to every request of a selection of at most 10,000; of more
// it is [ErrLimit]. A request that refuses it is told and stops no other. A
// selection by filter is made before the verb is applied to the first. An empty
// selection, or one by a filter that selects nothing in particular, also one of
// all statuses or actions, or of nothing but Text or IDContains, which every ID may
// hold, is [ErrEmptyQuery], never all requests. Times are taken at their word.
// When ctx ends the result comes with its error, and holds only the requests
// that the verb was applied to.
//
//	result, err := requests.Bulk(ctx, dsr.Selection{IDs: ids}, requests.Approve, by)
func (r *Requests) Bulk(ctx context.Context, sel Selection, verb Verb, by By) (*BulkResult, error) {
	if verb == nil {
		return nil, errors.New("dsr: there is no verb to apply")
	}
	ids, err := r.selected(ctx, sel)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(ids))
	done := make([]bool, len(ids))
	var g errgroup.Group
	g.SetLimit(r.engine.config.Limits.Workers)
	var once sync.Once
	var ended error
	for i, id := range ids {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				once.Do(func() { ended = context.Cause(ctx) })
				return nil
			}
			defer recovered(&errs[i])
			_, errs[i] = verb(ctx, id, by)
			done[i] = true
			return nil
		})
	}
	_ = g.Wait()
	result := &BulkResult{}
	for i, id := range ids {
		switch {
		case errs[i] != nil:
			result.Failed = append(result.Failed, BulkFailure{ID: id, Err: errs[i]})
		case done[i]:
			result.Succeeded = append(result.Succeeded, id)
		}
	}
	return result, ended
}

func (r *Requests) selected(ctx context.Context, sel Selection) ([]string, error) {
	switch {
	case len(sel.IDs) > 0 && sel.Filter != nil:
		return nil, errors.New("dsr: a selection has either IDs or a Filter")
	case sel.Filter != nil && (sel.Filter.Cursor != "" || sel.Filter.Page != 0):
		return nil, errors.New("dsr: a selection takes all that its Filter finds; leave out Cursor and Page")
	case sel.Filter != nil && sel.Filter.everything():
		return nil, emptyError("dsr: the Filter of the selection may take every request; say which, such as those of a Status")
	case len(sel.IDs) == 0 && sel.Filter == nil:
		return nil, emptyError("dsr: the selection is empty; name IDs or a Filter")
	}
	tooMany := limitError(fmt.Sprintf("dsr: the selection has more than %d requests; narrow it and go on in parts", maxBulk))
	if len(sel.Except) > maxBulk {
		return nil, limitError(fmt.Sprintf("dsr: the selection excepts more than %d requests; narrow it and go on in parts", maxBulk))
	}
	except := map[string]bool{} // whether they were met
	for _, id := range sel.Except {
		except[id] = false
	}
	var ids []string
	seen := map[string]bool{}
	add := func(id string) error {
		if _, excepted := except[id]; excepted {
			except[id] = true
			return nil
		}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
		if len(ids) > maxBulk {
			return tooMany
		}
		return nil
	}
	for _, id := range sel.IDs {
		if err := add(id); err != nil {
			return nil, err
		}
	}
	if sel.Filter != nil {
		for req, err := range r.All(ctx, *sel.Filter) {
			if err == nil {
				err = add(req.ID)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if err := r.exist(ctx, except); err != nil {
		return nil, err
	}
	return ids, nil
}

// exist tells which of the requests that were not met there are not.
func (r *Requests) exist(ctx context.Context, met map[string]bool) error {
	var unknown []string
	for _, id := range slices.Sorted(maps.Keys(met)) {
		if met[id] {
			continue
		}
		switch _, err := r.Get(ctx, id); {
		case errors.Is(err, ErrNotFound):
			unknown = append(unknown, strconv.Quote(id))
		case err != nil:
			return err
		}
	}
	switch shown := min(len(unknown), 10); {
	case shown == 0:
		return nil
	case shown < len(unknown):
		return fmt.Errorf("%w: the selection excepts IDs that no request has: %s and %d more", ErrNotFound, strings.Join(unknown[:shown], ", "), len(unknown)-shown)
	}
	return fmt.Errorf("%w: the selection excepts IDs that no request has: %s", ErrNotFound, strings.Join(unknown, ", "))
}
