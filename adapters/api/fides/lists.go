package fides

import (
	"context"
	"time"
)

// maxCreate and maxSelect are how many a bulk call may create, and choose.
const (
	maxCreate = 50
	maxSelect = 10_000
)

// bulk is the answer to a bulk call: 200, whatever failed.
type bulk[T any] struct {
	Succeeded []T           `json:"succeeded" nullable:"false"`
	Failed    []bulkFailure `json:"failed" nullable:"false"`
	Warnings  []string      `json:"warnings,omitempty" nullable:"false" doc:"What cannot be used since this call. Only of connections."`
}

// bulkFailure is one entry that failed.
type bulkFailure struct {
	Message string `json:"message"`
	Data    any    `json:"data" doc:"What was sent."`
}

func newBulk[T any]() *bulk[T] { return &bulk[T]{Succeeded: []T{}, Failed: []bulkFailure{}} }

func (b *bulk[T]) fail(message string, data any) {
	b.Failed = append(b.Failed, bulkFailure{message, data})
}

// answerBulk answers a bulk call on n items, of which some failed. Show returns
// nil for one that is gone.
func answerBulk[T any](n int, failed map[int]string, told func(i int) echo, show func(i int) (*T, error)) (*bulk[T], error) {
	answer := newBulk[T]()
	for i := range n {
		if failed[i] != "" {
			answer.fail(failed[i], told(i))
			continue
		}
		v, err := show(i)
		switch {
		case err != nil:
			return nil, err
		case v == nil:
			answer.fail("It was deleted meanwhile.", told(i))
		default:
			answer.Succeeded = append(answer.Succeeded, *v)
		}
	}
	return answer, nil
}

// tooLong is what is said of entries that time did not suffice for.
const tooLong = "The request took too long"

// inTime is a context in which a bulk call begins with its entries: it ends a
// little before that of the call, so that there is time to answer what was done.
func inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-min(answering, time.Until(end)/5)))
}

// answering is the time that there is at least to answer a bulk call.
const answering = 3 * time.Second

// toAnswer is a context in which a bulk call is answered, also if its time is up:
// until then, or longer if that is soon, but so that the answer can be written.
func toAnswer(ctx context.Context) (context.Context, context.CancelFunc) {
	until := time.Now().Add(answering)
	end, ok := ctx.Deadline()
	if cutOff := callOf(ctx).cutOff; ok && !cutOff.IsZero() {
		if latest := end.Add(cutOff.Sub(end) / 2); until.After(latest) {
			until = latest
		}
	}
	if ok && until.Before(end) {
		until = end
	}
	return context.WithDeadline(context.WithoutCancel(ctx), until)
}

// paging are the parameters of a page: the Query of an input, or, in a field by the
// name of Page, further parameters of it.
type paging struct {
	Page int `json:"page" required:"false" minimum:"1" maximum:"1000000" default:"1"`
	Size int `json:"size" required:"false" minimum:"1" maximum:"100" default:"50"`
}

// pageOfItems is one page of a list.
type pageOfItems[T any] struct {
	Items []T   `json:"items" nullable:"false"`
	Total int64 `json:"total"`
	Page  int   `json:"page"`
	Size  int   `json:"size"`
	Pages int64 `json:"pages"`
}

func newPage[T any](items []T, total int64, p paging) *pageOfItems[T] {
	size := int64(p.Size)
	return &pageOfItems[T]{Items: listOf(items), Total: total, Page: p.Page, Size: p.Size, Pages: (total + size - 1) / size}
}

// listOf is a list that is shown as one also when it is nil, which JSON would have
// as null.
func listOf[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// pageFrom cuts a page out of a list and shows it.
func pageFrom[T, V any](all []T, p paging, show func(T) (V, error)) (*pageOfItems[V], error) {
	var items []V
	cut := cutPage(all, p)
	for _, one := range cut.Items {
		v, err := show(one)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return newPage(items, cut.Total, p), nil
}

// cutPage cuts a page out of a list that is shown already.
func cutPage[V any](all []V, p paging) *pageOfItems[V] {
	from := min(len(all), (p.Page-1)*p.Size)
	return newPage(all[from:min(len(all), from+p.Size)], int64(len(all)), p)
}
