package smtptest_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/smtp"
)

// A signature that is made before a message is handed in must hold for what the
// server takes, whatever letters it has.
func TestDKIM(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for _, form := range []dkim.Canonicalization{dkim.CanonicalizationSimple, dkim.CanonicalizationRelaxed} {
		signature := &dkim.SignOptions{
			Domain: "example.com", Selector: "dsr", Signer: private,
			HeaderCanonicalization: form, BodyCanonicalization: form,
		}
		server, n := start(t, nil, func(o *smtp.Options) {
			o.Sign = func(message []byte) ([]byte, error) {
				if !bytes.HasSuffix(message, []byte("\r\n")) {
					return nil, errors.New("the last line does not end")
				}
				var signed bytes.Buffer
				err := dkim.Sign(&signed, bytes.NewReader(message), signature)
				return signed.Bytes(), err
			}
		})
		plain, hostile := notice(ada), notice(ada)
		plain.Text, plain.HTML = "no end of the line", ""
		hostile.ID = "n-2"
		hostile.Subject = "Grüße  an\r\nalle"
		hostile.Text = "a \n.\n..\n\n\n" + "lone\rcr \t\n\n\n"
		require.NoError(t, n.Notify(t.Context(), plain))
		require.NoError(t, n.Notify(t.Context(), hostile))
		got := all(t, server)
		require.Len(t, got, 2)
		for _, m := range got {
			found, err := dkim.VerifyWithOptions(bytes.NewReader(m.Data), &dkim.VerifyOptions{
				LookupTXT: func(name string) ([]string, error) {
					require.Equal(t, "dsr._domainkey.example.com", name)
					return []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)}, nil
				},
			})
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.NoError(t, found[0].Err)
			require.Contains(t, found[0].HeaderKeys, "Message-ID")
		}
	}
}
