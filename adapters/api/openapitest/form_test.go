package openapitest

import (
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// paperwork takes a form with a file, with a token in the query that no random
// word is.
const paperwork = `{"openapi":"3.1.0","paths":{"/papers/{id}":{"post":{"operationId":"file",
	"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}},{"name":"token","in":"query","schema":{"type":"string"}}],
	"requestBody":{"required":true,"content":{"multipart/form-data":{"schema":{"type":"object","required":["kind","a_scan"],"properties":{
		"kind":{"type":"string","enum":["in","out"]},"a_scan":{"type":"string","format":"binary"},"notes":{"type":"array","items":{"type":"string"}}}}}}},
	"responses":{"200":{"description":"OK"},"400":{"description":"refused"},"401":{"description":"nobody"},"415":{"description":"no form"}}}}}}`

// papers reads the form, text before files, and keeps what it was given.
type papers struct {
	mu    sync.Mutex
	taken []string
}

func (p *papers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts, err := r.MultipartReader()
	if err != nil {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	var order []string
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		order = append(order, p.read(part))
	}
	status := http.StatusOK
	if r.URL.Query().Get("token") != "4711" || r.Header.Get("Authorization") != "Bearer the-filing-clerk" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		status = http.StatusUnauthorized
	}
	w.WriteHeader(status)
	p.mu.Lock()
	defer p.mu.Unlock()
	if status == http.StatusOK {
		p.taken = append(p.taken, r.PathValue("id")+strings.Join(order, " "))
	}
}

func (p *papers) read(part *multipart.Part) string {
	content, err := io.ReadAll(part)
	if err != nil {
		return "broken"
	}
	return part.FormName() + "/" + part.FileName() + "=" + string(content)
}

func TestAnExampleIsSentAsAFormWithItsTextsFirst(t *testing.T) {
	t.Parallel()
	clerk := Caller{Name: "the clerk", Header: http.Header{"Authorization": {"Bearer the-filing-clerk"}}}
	example := &Example{
		Parameters: map[string]string{"token": "4711"}, Caller: clerk,
		Body: map[string]any{"kind": "in", "a_scan": "page.pdf", "notes": []string{"one", "two"}},
	}
	handler := &papers{}
	config := Config{Document: []byte(paperwork), Handler: handler, Seed: 1, Count: 300}
	_, err := Run(t.Context(), config)
	require.ErrorContains(t, err, "never succeeded: file")
	require.Empty(t, handler.taken)

	config.Example = func(Operation) *Example { return example }
	report, err := Run(t.Context(), config)
	require.NoError(t, err)
	require.Positive(t, report.Operations[0].Statuses[http.StatusUnauthorized])
	require.Contains(t, handler.taken, "kind/=in notes/=one notes/=two a_scan/page.pdf=page.pdf")
}

func TestAnExampleThatTheDocumentDoesNotKnowIsAFault(t *testing.T) {
	t.Parallel()
	for want, example := range map[string]*Example{
		`the example of file has the parameter "tokn"`: {Parameters: map[string]string{"tokn": "1"}},
		"the example of file: json: unsupported type":  {Body: make(chan int)},
	} {
		_, err := Run(t.Context(), Config{
			Document: []byte(paperwork), Handler: &papers{}, Count: 300, Example: func(Operation) *Example { return example },
		})
		require.ErrorContains(t, err, want)
	}
	without := strings.Replace(paperwork, `"requestBody"`, `"x-body"`, 1)
	_, err := Run(t.Context(), Config{
		Document: []byte(without), Handler: &papers{}, Count: 300, Example: func(Operation) *Example { return &Example{Body: 1} },
	})
	require.ErrorContains(t, err, "the example of file has a body, for which the document has no place")
}
