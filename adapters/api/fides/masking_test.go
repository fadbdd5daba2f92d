package fides_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMaskingIsTriedOut(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t, "masking:exec")
	send := func(body string) *answer { return k.send(t, token, "PUT", "/api/v1/masking/mask", body) }
	send(`{"values":["a","b"],"masking_strategy":{"strategy":"string_rewrite","configuration":{"rewrite_value":"MASKED"}}}`).
		want(t, http.StatusOK, `{"plain":["a","b"],"masked_values":["MASKED","MASKED"]}`)
	send(`{"values":["a"],"masking_strategy":{"strategy":"null_rewrite","configuration":null}}`).want(t, http.StatusOK, `{"plain":["a"],"masked_values":[null]}`)
	send(`{"values":["a"],"masking_strategy":[{"strategy":"preserve"},{"strategy":"string_rewrite","configuration":{"rewrite_value":"x","format_preservation":{"suffix":"@y"}}}]}`).
		want(t, http.StatusOK, `{"plain":["a"],"masked_values":["x@y"]}`)
	send(`{"values":[],"masking_strategy":[]}`).want(t, http.StatusOK, `{"plain":[],"masked_values":[]}`)
	for _, strategy := range []string{"hash", "hmac", "aes_encrypt"} {
		a := send(`{"values":["a","a","b"],"masking_strategy":{"strategy":"` + strategy + `"}}`)
		require.Equal(t, http.StatusOK, a.Status)
		var got struct {
			Masked []string `json:"masked_values"`
		}
		require.NoError(t, json.Unmarshal([]byte(a.Body), &got))
		require.Len(t, got.Masked, 3)
		require.Equal(t, got.Masked[0], got.Masked[1])
		require.NotEqual(t, got.Masked[0], got.Masked[2])
		require.NotEqual(t, a.Body, send(`{"values":["a","a","b"],"masking_strategy":{"strategy":"`+strategy+`"}}`).Body, "secrets are good for one call")
	}
	a := send(`{"values":["a"],"masking_strategy":{"strategy":"random_string_rewrite","configuration":{"length":7}}}`)
	require.Regexp(t, `^\{"plain":\["a"\],"masked_values":\["[a-z0-9]{7}"\]\}$`, a.Body)

	send(`{"values":["a"],"masking_strategy":{"strategy":"nix"}}`).want(t, http.StatusNotFound,
		`{"detail":"Strategy 'nix' does not exist. Valid strategies are [aes_encrypt, hash, hmac, null_rewrite, preserve, random_string_rewrite, string_rewrite]"}`)
	send(`{"values":["a"],"masking_strategy":{"strategy":"string_rewrite"}}`).want(t, http.StatusBadRequest, `{"detail":"strategy \"string_rewrite\": rewrite_value is missing"}`)
	send(`{"values":["a","b"],"masking_strategy":{"strategy":"string_rewrite","configuration":{"rewrite_value":"`+strings.Repeat("x", 1<<19)+`"}}}`).is(t, http.StatusOK)
	many, err := json.Marshal(strings.Split(strings.Repeat("a", 100), ""))
	require.NoError(t, err)
	send(`{"values":`+string(many)+`,"masking_strategy":{"strategy":"string_rewrite","configuration":{"rewrite_value":"`+strings.Repeat("x", 1<<19)+`"}}}`).
		want(t, http.StatusBadRequest, `{"detail":"The masked values would have more than 4194304 bytes"}`)
	for body, detail := range map[string]string{
		`{}`: `{"type":"missing","loc":["body","masking_strategy"],"msg":"Field required"},{"type":"missing","loc":["body","values"],"msg":"Field required"}`,
		`{"values":[1],"masking_strategy":{"strategy":"hash"}}`:      `{"type":"string_type","loc":["body","values",0],"msg":"Input should be a valid string"}`,
		`{"values":[],"masking_strategy":{"strategy":"hash","x":1}}`: `{"type":"extra_forbidden","loc":["body","masking_strategy","x"],"msg":"Extra inputs are not permitted"}`,
	} {
		send(body).want(t, http.StatusUnprocessableEntity, `{"detail":[`+detail+`]}`)
	}
}

func TestTheStrategiesAreDescribedAndWorkAsDescribed(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	a := k.send(t, token, "GET", "/masking/strategy", nil)
	require.Equal(t, http.StatusOK, a.Status)
	var list []struct {
		Name           string
		Configurations []struct {
			Key      string
			Optional bool
		}
	}
	require.NoError(t, json.Unmarshal([]byte(a.Body), &list))
	require.Len(t, list, 7)
	values := map[string]any{"rewrite_value": "x", "length": 3, "algorithm": "SHA-512", "mode": "GCM", "format_preservation": map[string]string{"suffix": "!"}}
	for _, s := range list {
		all := map[string]any{}
		for _, c := range s.Configurations {
			all[c.Key] = values[c.Key]
		}
		k.send(t, token, "PUT", "/masking/mask", map[string]any{"values": []string{"a"}, "masking_strategy": map[string]any{"strategy": s.Name, "configuration": all}}).is(t, http.StatusOK)
		for _, c := range s.Configurations {
			some := map[string]any{}
			for key, v := range all {
				if key != c.Key {
					some[key] = v
				}
			}
			a := k.send(t, token, "PUT", "/masking/mask", map[string]any{"values": []string{"a"}, "masking_strategy": map[string]any{"strategy": s.Name, "configuration": some}})
			require.Equal(t, c.Optional, a.Status == http.StatusOK, "%s without %s", s.Name, c.Key)
		}
	}
}

func TestWhatIsEncryptedIsDecrypted(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t, "encryption:exec")
	a := k.send(t, token, "GET", "/api/v1/cryptography/encryption/key", nil)
	require.Regexp(t, `^"[A-Za-z0-9_-]{16}"$`, a.Body)
	var key string
	require.NoError(t, json.Unmarshal([]byte(a.Body), &key))
	a = k.send(t, token, "PUT", "/cryptography/encryption/aes/encrypt", map[string]string{"value": "Grüße", "key": key})
	require.Equal(t, http.StatusOK, a.Status)
	var made struct {
		Value string `json:"encrypted_value"`
		Nonce string `json:"nonce"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.Body), &made))
	decrypt := func(value, key, nonce string) *answer {
		return k.send(t, token, "PUT", "/cryptography/encryption/aes/decrypt", map[string]string{"value": value, "key": key, "nonce": nonce})
	}
	decrypt(made.Value, key, made.Nonce).want(t, http.StatusOK, `{"decrypted_value":"Grüße"}`)
	wrong := `{"detail":"The value was not encrypted with this key and nonce"}`
	decrypt(made.Value, "0123456789abcdef", made.Nonce).want(t, http.StatusBadRequest, wrong)
	decrypt("", key, made.Nonce).want(t, http.StatusBadRequest, wrong)
	decrypt("%", key, made.Nonce).want(t, http.StatusUnprocessableEntity, `{"detail":[{"type":"value_error","loc":["body","value"],"msg":"Value error, the value is no base64"}]}`)
	decrypt(made.Value, key, "AAAA").want(t, http.StatusUnprocessableEntity, `{"detail":[{"type":"value_error","loc":["body","nonce"],"msg":"Value error, Nonce must be 12 bytes long, in base64"}]}`)
	for _, verb := range []string{"encrypt", "decrypt"} {
		k.send(t, token, "PUT", "/cryptography/encryption/aes/"+verb, map[string]string{"value": "", "key": "short", "nonce": ""}).is(t, http.StatusUnprocessableEntity)
	}
	k.send(t, token, "PUT", "/cryptography/encryption/aes/encrypt", `{"value":"","key":"short"}`).want(t, http.StatusUnprocessableEntity,
		`{"detail":[{"type":"value_error","loc":["body","key"],"msg":"Value error, Encryption key must be 16 bytes long"}]}`)
}

// Made with AESGCM of Python's cryptography, the nonce as additional data, as
// Fides encrypts.
func TestAValueThatFidesEncryptedIsDecrypted(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	k.send(t, k.token(t), "PUT", "/cryptography/encryption/aes/decrypt",
		`{"value":"Wy1gjsSPC+8dqrsKryrHfdbpELxx","key":"0123456789abcdef","nonce":"AQEBAQEBAQEBAQEB"}`).want(t, http.StatusOK, `{"decrypted_value":"hello"}`)
}
