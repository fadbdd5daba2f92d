package mask_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/redact/mask"
)

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		strategy string
		conf     conf
		want     []string
	}{
		"unknown strategy": {"shuffle", conf{"a": 1}, []string{
			"unknown; the strategies are aes_encrypt, hash, hmac, null_rewrite, preserve, random_string_rewrite, string_rewrite",
		}},
		"keys where there are none": {mask.NullRewrite, conf{"b": 1, "a": 1}, []string{
			`unknown key "a"; this strategy has none`,
			`unknown key "b"; this strategy has none`,
		}},
		"nothing to rewrite to": {mask.StringRewrite, nil, []string{"rewrite_value is missing"}},
		"several": {mask.StringRewrite, conf{"rewrite_value": 5, "format_preservation": "@x", "algorithm": "SHA-256"}, []string{
			"rewrite_value must be text, not a number",
			"format_preservation must be a mapping with the key suffix, not text",
			`unknown key "algorithm"; the keys are rewrite_value, format_preservation`,
		}},
		"invalid text":   {mask.StringRewrite, conf{"rewrite_value": "\xff"}, []string{"rewrite_value must be valid UTF-8"}},
		"no suffix":      {mask.Hash, conf{"format_preservation": conf{}}, []string{"format_preservation.suffix is missing"}},
		"another suffix": {mask.Hash, conf{"format_preservation": conf{"suffix": nil, "prefix": "a"}}, []string{`unknown key "format_preservation.prefix"; the keys are suffix`, "format_preservation.suffix must be text, not null"}},
		"algorithm":      {mask.Hash, conf{"algorithm": "MD5"}, []string{`algorithm must be SHA-256 or SHA-512, not "MD5"`}},
		"algorithm type": {mask.HMAC, conf{"algorithm": []any{}}, []string{"algorithm must be text, not a list"}},
		"mode":           {mask.AESEncrypt, conf{"mode": "CBC"}, []string{`mode must be GCM, not "CBC"`}},
		"text length":    {mask.RandomStringRewrite, conf{"length": "5"}, []string{"length must be a whole number, not text"}},
		"half a length":  {mask.RandomStringRewrite, conf{"length": 2.5}, []string{"length must be a whole number, not a fraction"}},
		"no length":      {mask.RandomStringRewrite, conf{"length": int64(0)}, []string{"length must be from 1 to 65536, not 0"}},
		"huge length":    {mask.RandomStringRewrite, conf{"length": json.Number("65537")}, []string{"length must be from 1 to 65536, not 65537"}},
		"boolean length": {mask.RandomStringRewrite, conf{"length": true}, []string{"length must be a whole number, not a boolean"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := mask.Check(tt.strategy, tt.conf)
			var ce *mask.ConfigError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, mask.ConfigError{Strategy: tt.strategy, Faults: tt.want}, *ce)
			_, newErr := mask.New(tt.strategy, tt.conf, published())
			require.Equal(t, err, newErr)
		})
	}
	require.EqualError(t, mask.Check(mask.StringRewrite, conf{"rewrite": "x"}),
		`mask: strategy "string_rewrite": rewrite_value is missing; unknown key "rewrite"; the keys are rewrite_value, format_preservation`)
}

func TestSecretFaults(t *testing.T) {
	t.Parallel()
	_, err := mask.New(mask.Hash, nil, nil)
	require.EqualError(t, err, "mask: strategy hash needs secrets, and there are none")
	_, err = mask.New(mask.Hash, nil, secrets{"hash salt": ""})
	require.EqualError(t, err, "mask: the salt of strategy hash is empty")
	_, err = mask.New(mask.HMAC, nil, secrets{})
	require.EqualError(t, err, "mask: the key of strategy hmac: vault is sealed\nmask: the salt of strategy hmac: vault is sealed")
	short := published()
	short["aes_encrypt key"] = "short"
	_, err = mask.New(mask.AESEncrypt, nil, short)
	require.EqualError(t, err, "mask: the key of strategy aes_encrypt: crypto/aes: invalid key size 5")
}
