package dsr_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/seal"
)

// Keys and passphrases are in nothing that a request leaves behind, however it
// ends.
func TestEncryptionIsToldNowhere(t *testing.T) {
	t.Parallel()
	ends := map[string]func(o *office){
		"well":        func(*office) {},
		"disk full":   func(o *office) { o.packages.err = errors.New("disk full") },
		"unencrypted": func(o *office) { o.restart(t, func(c *dsr.Config) { c.Encrypter = lockbox{errors.New("broken")} }) },
	}
	for way, e := range secrets {
		for name, end := range ends {
			store := &hoard{}
			o := newOffice(t, dsr.Flow{VerifyIdentity: true, Approval: true}, func(c *dsr.Config) {
				destined(func(*dsr.Destination) {})(c)
				store.Store, c.Store = c.Store, store
			})
			var told bytes.Buffer
			tell := func(req *dsr.Request, err error) {
				for _, teller := range tellers() {
					told.WriteString(teller(req))
					for ; err != nil; err = errors.Unwrap(err) {
						told.WriteString(teller(err))
					}
				}
			}
			tell(o.Submit(t.Context(), encrypted("both", e)))
			end(o)
			tell(o.Verify(t.Context(), "r1", o.code(t)))
			tell(o.Approve(t.Context(), "r1", clerk))
			tell(o.Advance(t.Context(), "r1"))
			tell(o.Retry(t.Context(), "r1", clerk))
			tell(o.Advance(t.Context(), "r1"))
			status := o.get(t, "r1").Status
			require.Equal(t, name == "well" || name == "unencrypted" && way == "key", status == dsr.StatusComplete, "%s %s: %s", way, name, status)
			log, err := o.Log(t.Context(), "r1", 0, 0)
			require.NoError(t, err)
			remarks, err := o.Remarks(t.Context(), "r1")
			require.NoError(t, err)
			for _, teller := range tellers() {
				for _, v := range []any{log, remarks, o.notifier.Notices()} {
					told.WriteString(teller(v))
				}
			}
			var export bytes.Buffer
			require.NoError(t, o.engine.Audit().Export(t.Context(), &export))
			for part, data := range o.spool.seen {
				fmt.Fprintf(&told, "%s %s", part, data)
			}
			for where, text := range map[string]string{
				"told": told.String(), "logs": o.logs.String() + "-", "store": store.all.String(), "export": export.String(), "manifest": o.packages.file("r1.manifest.json") + "-",
			} {
				require.NotEmpty(t, text, where)
				for _, hidden := range []string{canary, base64.StdEncoding.EncodeToString(subjectKey), fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint(subjectKey)} {
					require.NotContains(t, text, hidden, "%s %s: %s", way, name, where)
				}
			}
		}
	}
}

func TestEncryptionPrintsNothing(t *testing.T) {
	t.Parallel()
	for _, e := range secrets {
		require.Equal(t, "[redacted]", fmt.Sprintf("%+v", e))
		for _, v := range append(around(e), around(encrypted("both", e))...) {
			for name, tell := range tellers() {
				told := tell(v)
				require.NotEmpty(t, told)
				for _, hidden := range []string{canary, base64.StdEncoding.EncodeToString(subjectKey), fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint(subjectKey[:3])[1:9]} {
					require.NotContains(t, told, hidden, "%s of %T", name, v)
				}
			}
		}
	}
	data, err := json.Marshal(encrypted("both", secrets["key"]))
	require.NoError(t, err)
	require.Contains(t, string(data), `"Encryption":"[redacted]"`)
	var read dsr.Encryption
	require.NoError(t, json.Unmarshal([]byte(`{"Passphrase": "p", "Key": "Q0FO", "PublicKeys": ["a"]}`), &read))
	require.Equal(t, "p", read.Passphrase)
	require.Equal(t, "CAN", string(read.Key))
	require.Equal(t, []string{"a"}, read.PublicKeys)
}

// What shreds the identities shreds key and passphrase with them.
func TestEncryptionIsShreddedWithTheIdentities(t *testing.T) {
	t.Parallel()
	for way, e := range secrets {
		o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
			destined(func(*dsr.Destination) {})(c)
			c.Retention = dsr.Retention{Identities: time.Hour}
		})
		o.submitted(t, encrypted("both", e))
		o.advanced(t, "r1", dsr.StatusComplete)
		rec, err := o.store.Request(t.Context(), "r1")
		require.NoError(t, err)
		key, err := o.keyring.Unwrap(t.Context(), rec.Keys["identity"], sealedContext("identity"))
		require.NoError(t, err)
		plain, err := seal.Open(key, rec.Identity, sealedContext("identity"))
		require.NoError(t, err)
		secret := canary
		if e.Key != nil {
			secret = base64.StdEncoding.EncodeToString(e.Key)
		}
		require.Contains(t, string(plain), secret, way)
		copies := []sealed{{name: "identity", bound: "identity", data: rec.Identity}}
		require.Equal(t, []string{"identity"}, o.opens(t, copies))

		o.clock.add(time.Hour)
		o.advanced(t, "r1", dsr.StatusComplete)
		require.Empty(t, o.opens(t, copies), way)
		rec, err = o.store.Request(t.Context(), "r1")
		require.NoError(t, err)
		require.Empty(t, rec.Identity)
	}
}
