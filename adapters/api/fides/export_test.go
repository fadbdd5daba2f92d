package fides

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// validate checks a JSON value against a schema, and returns it as it is to be
// decoded.
func (d *Door) validate(s *huma.Schema, tree any, loc []any) (any, []fault) {
	c := &checker{door: d}
	out := c.part(s, tree, loc...)
	return out, c.all()
}

// CheckAnswer says how an answer differs from what the OpenAPI document tells.
// Places that are no route are not in it: for these it wants Fides' shape.
func (d *Door) CheckAnswer(method, path string, status int, contentType string, body []byte) error {
	media, _, _ := strings.Cut(contentType, ";")
	probe := httptest.NewRequest(method, strings.TrimPrefix(path, prefix), http.NoBody)
	_, pattern := d.mux.Handler(probe)
	_, at, _ := strings.Cut(pattern, " ")
	item := d.document.Paths[at]
	if item == nil || !d.takes(probe, method) {
		if media != "application/json" || !bytes.HasPrefix(body, []byte(`{"detail":`)) && method != http.MethodHead {
			return errors.New("an answer of no route that is not in Fides' shape")
		}
		return nil
	}
	op := item.Get
	switch method {
	case http.MethodPost:
		op = item.Post
	case http.MethodPut:
		op = item.Put
	case http.MethodPatch:
		op = item.Patch
	case http.MethodDelete:
		op = item.Delete
	}
	response := op.Responses[strconv.Itoa(status)]
	if response == nil {
		return fmt.Errorf("%s does not document status %d", op.OperationID, status)
	}
	if len(response.Content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("%s documents no body for status %d", op.OperationID, status)
		}
		return nil
	}
	content := response.Content[media]
	if content == nil {
		return fmt.Errorf("%s does not document %q for status %d", op.OperationID, media, status)
	}
	if media != "application/json" || content.Schema == nil || method == http.MethodHead {
		return nil
	}
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return err
	}
	if _, faults := d.validate(content.Schema, tree, []any{"answer"}); len(faults) > 0 {
		return fmt.Errorf("%s documents another answer: %+v", op.OperationID, faults)
	}
	return nil
}
