package fides_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/manual"
)

// waitingDesk has a request that waits for the forms of connections.
func waitingDesk(t *testing.T, keys ...string) *caller {
	t.Helper()
	c := configurable(t, nil).caller(t)
	for _, key := range keys {
		c.does(t, "PATCH", "/connection", `[{"key":"`+key+`","connection_type":"manual_webhook","access":"write"}]`)
		_, err := c.engine.Forms().Create(t.Context(), manual.Form{Key: key, Fields: []manual.Field{{PIIField: "Last Name"}}})
		require.NoError(t, err)
	}
	_, err := c.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
	require.NoError(t, err)
	c.advanced(t, dsr.StatusRequiresInput)
	return c
}

// advanced lets the request go on as far as it can.
func (c *caller) advanced(t *testing.T, want dsr.Status) {
	t.Helper()
	req, err := c.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, want, req.Status)
}

// status is that of the request, untouched.
func (c *caller) status(t *testing.T) dsr.Status {
	t.Helper()
	req, err := c.engine.Requests().Get(t.Context(), "pri_1")
	require.NoError(t, err)
	return req.Status
}

// TestPeer18DisableManualWebhook is test_disable_manual_webhook: disabling
// the last connection that people answer for lets go what waits for it.
func TestPeer18DisableManualWebhook(t *testing.T) {
	t.Parallel()
	c := waitingDesk(t, "drawer")
	c.wants(t, ok, `{"msg":"Test completed for ConnectionConfig with key: drawer.","test_status":"succeeded","failure_reason":null}`, "GET", "/connection/drawer/test", nil)
	c.does(t, "PATCH", "/connection", `[{"name":"Drawer","key":"drawer","connection_type":"manual_webhook","access":"write","disabled":true}]`)
	require.Equal(t, dsr.StatusInProcessing, c.status(t))
	c.advanced(t, dsr.StatusComplete)

	c.does(t, "PATCH", "/connection", `[{"key":"drawer","connection_type":"manual_webhook","access":"write","disabled":false}]`)
	c.restart(t)
	defs, err := c.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.False(t, defs.Forms["drawer"].Disabled, "it is asked for again")
}

func TestDisablingOneOfSeveralManualConnectionsLetsRequestsWaitForTheOthers(t *testing.T) {
	t.Parallel()
	c := waitingDesk(t, "drawer", "shelf")
	c.does(t, "PATCH", "/connection", `[{"key":"drawer","connection_type":"manual_request","access":"write","disabled":true}]`)
	c.advanced(t, dsr.StatusRequiresInput)
	c.wants(t, 204, ``, "DELETE", "/connection/shelf", nil)
	require.Equal(t, dsr.StatusInProcessing, c.status(t))
	c.advanced(t, dsr.StatusComplete)
	c.restart(t)
	defs, err := c.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.NotContains(t, defs.Forms, "shelf")
	require.True(t, defs.Forms["drawer"].Disabled)
}

func TestOtherConnectionsLeaveFormsAlone(t *testing.T) {
	t.Parallel()
	c := waitingDesk(t, "drawer")
	c.does(t, "PATCH", "/connection", `[{"key":"crm","connection_type":"postgres","access":"write","disabled":true},{"key":"drawer","connection_type":"manual_webhook","access":"read"}]`)
	c.wants(t, 204, ``, "DELETE", "/connection/crm", nil)
	c.advanced(t, dsr.StatusRequiresInput)
}

func TestDeletingAgainLetsGoWhatTheFirstCallCouldNot(t *testing.T) {
	t.Parallel()
	c := waitingDesk(t, "drawer")
	_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		delete(d.Connections, "drawer")
		delete(d.Forms, "drawer")
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, dsr.StatusRequiresInput, c.status(t))
	c.wants(t, 404, detail("No connection configuration found with key 'drawer'."), "DELETE", "/connection/drawer", nil)
	require.Equal(t, dsr.StatusInProcessing, c.status(t))
}
