// Package crm is a made-up customer database in the cloud, as its vendor's Go
// client shows it: records that are searched for page by page, and written in
// batches that fail when somebody else was faster. It keeps everything in
// memory.
package crm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Limits of the service.
const (
	MaxValues = 2000 // in one search
	PageSize  = 200  // records in one page
)

// Errors of the service.
var (
	ErrNoObject = errors.New("crm: there is no such object type")
	ErrStale    = errors.New("crm: a record has another revision")
	ErrTooMany  = errors.New("crm: too many values in one search")
)

// Field describes a field of an object type.
type Field struct {
	Name     string
	Type     string // "text", "number", "fraction", "flag" or "binary"
	Required bool
	Unique   bool
}

// Object is an object type, such as contacts.
type Object struct {
	Fields []Field
	Key    []string // the fields that the company addresses records by
}

// Record is one record. ID and Revision are the service's own.
type Record struct {
	ID       int
	Revision int
	Fields   map[string]any
}

// Write changes a record, or removes it, if it still has the revision.
type Write struct {
	ID       int
	Revision int
	Set      map[string]any
	Remove   bool
}

// Client talks to the service. It is safe for concurrent use.
type Client struct {
	mu      sync.Mutex
	objects map[string]Object
	records map[string][]*Record
	last    int
}

// New returns a client of an empty service.
func New() *Client {
	return &Client{objects: map[string]Object{}, records: map[string][]*Record{}}
}

// Define creates an object type, and replaces one of that name.
func (c *Client) Define(name string, o Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects[name], c.records[name] = o, nil
}

// Add creates a record.
func (c *Client) Add(name string, fields map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.records[name] = append(c.records[name], &Record{ID: c.last, Revision: 1, Fields: maps.Clone(fields)})
}

// Object describes an object type.
func (c *Client) Object(ctx context.Context, name string) (Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.objects[name]
	if !ok {
		return o, ErrNoObject
	}
	return o, ctx.Err()
}

// Search returns a page of the records whose field holds one of the values,
// and where the next page begins; 0 after the last one. Like many a search it
// is generous: it compares everything as text and ignores case. No values
// means all records.
func (c *Client) Search(ctx context.Context, name, field string, values []any, from int) (page []Record, next int, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if len(values) > MaxValues {
		return nil, 0, ErrTooMany
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.objects[name]; !ok {
		return nil, 0, ErrNoObject
	}
	wanted := map[string]bool{}
	for _, v := range values {
		wanted[text(v)] = true
	}
	for _, r := range c.records[name] {
		if r.ID < from {
			continue
		}
		if len(values) > 0 && (r.Fields[field] == nil || !wanted[text(r.Fields[field])]) {
			continue
		}
		if len(page) == PageSize {
			return page, r.ID, nil
		}
		page = append(page, Record{r.ID, r.Revision, maps.Clone(r.Fields)})
	}
	return page, 0, nil
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return strings.ToLower(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strings.ToLower(fmt.Sprint(v))
}

// Batch makes all writes or, when one of them is stale, none.
func (c *Client) Batch(ctx context.Context, name string, writes []Write) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	at := map[int]*Record{}
	for _, r := range c.records[name] {
		at[r.ID] = r
	}
	for _, w := range writes {
		if r := at[w.ID]; r == nil || r.Revision != w.Revision {
			return ErrStale
		}
	}
	for _, w := range writes {
		r := at[w.ID]
		maps.Copy(r.Fields, w.Set)
		r.Revision++
		if w.Remove {
			c.records[name] = slices.DeleteFunc(c.records[name], func(o *Record) bool { return o == r })
		}
	}
	return nil
}
