package crash_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest/servertest"
)

// A task that was defined over HTTP asks people, and packages hold what they
// answered, also when the server is killed after each call.
func TestServerAsksWhatWasDefined(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Program: servertest.Build(t)})
	makePeople(t, s.Data)
	s.LogIn(t, servertest.RootID, servertest.RootSecret)
	configurePeople(t, s)
	const field = api + "/plus/connection/archive/manual-field"
	s.Configure(t, http.MethodPatch, api+"/connection", `[{"name":"Archive","key":"archive","connection_type":"manual_task","access":"write"}]`, 200)
	s.Configure(t, http.MethodPut, api+"/plus/connection/archive/manual-task/dependency-conditions", `[{"field_address":"people:people:id","operator":"eq","value":1}]`, 200)
	s.Configure(t, http.MethodPost, field, `{"key":"note","label":"What the file says","help_text":"One line","field_type":"text","request_type":"access"}`, 201)
	s.Configure(t, http.MethodPost, field, `{"key":"found","label":"There is a file","help_text":"","field_type":"checkbox","request_type":"access"}`, 201)

	id := submit(t, s, "copy", "jane@example.com")
	s.Killed(t)
	for name, value := range map[string]string{"What the file says": "a letter", "There is a file": "true"} {
		form := servertest.Text{Type: "multipart/form-data; boundary=x", Text: "--x\r\nContent-Disposition: form-data; name=\"field_value\"\r\n\r\n" + value + "\r\n--x--\r\n"}
		s.Configure(t, http.MethodPost, api+"/privacy-request/"+id+"/manual-field/"+definedOpen(t, s, id)[name]+"/complete", form, 200)
	}
	require.JSONEq(t, `{"archive:manual_data":[{"note":"a letter","found":true}],"people:people":[{"id":1,"email":"jane@example.com","name":"Jane"}]}`, s.Packed(t, id))
	waitComplete(t, s, id)
	require.Equal(t, 7, s.Kills)
}

// definedOpen waits until people are asked for a request, and returns the IDs of
// the fields that are open, by name.
func definedOpen(t *testing.T, s *servertest.Server, id string) map[string]string {
	t.Helper()
	open := map[string]string{}
	require.Eventually(t, func() bool {
		var page struct {
			Items []struct {
				ID   string `json:"manual_field_id"`
				Name string
			}
		}
		readJSON(t, s.Call(t, http.MethodGet, api+"/plus/manual-fields?status=new&privacy_request_id="+id, nil, http.StatusOK), &page)
		for _, f := range page.Items {
			open[f.Name] = f.ID
		}
		return len(open) > 0
	}, servertest.Patience, 20*time.Millisecond, "nobody is asked for request %s", id)
	return open
}
