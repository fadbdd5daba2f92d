package fides

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/redact/mask"
)

const tagMasking = "Masking"

// maskingRoutes try out strategies of masking. They touch no data.
func (d *Door) maskingRoutes() []route {
	return []route{
		{
			method: "PUT", path: "/masking/mask", scopes: []string{oauth.ScopeMaskingExec},
			id: "mask_value", summary: "Try out strategies of masking, one after another", tag: tagMasking,
			errors: []int{http.StatusBadRequest, http.StatusNotFound}, call: typed(d.maskValues),
		},
		{
			method: "GET", path: "/masking/strategy", scopes: []string{oauth.ScopeMaskingRead},
			id: "list_masking_strategies", summary: "The strategies of masking", tag: tagMasking, call: typed(d.listStrategies),
		},
	}
}

type maskInput struct {
	Body struct {
		Values   []string      `json:"values" maxItems:"1000" nullable:"false"`
		Strategy maskingChoice `json:"masking_strategy"`
	}
}

// maskingSpec is a strategy and what it is configured with.
type maskingSpec struct {
	Strategy      string         `json:"strategy"`
	Configuration map[string]any `json:"configuration" required:"false" nullable:"true"`
}

// maskingChoice is one strategy, or a list of them.
type maskingChoice []maskingSpec

// maxStrategies is how many strategies may be tried one after another: each may
// make the values longer.
const maxStrategies = 10

// Schema implements [huma.SchemaProvider].
func (maskingChoice) Schema(huma.Registry) *huma.Schema {
	most := maxStrategies
	one := &huma.Schema{
		Type: huma.TypeObject, Required: []string{"strategy"}, AdditionalProperties: false, Properties: map[string]*huma.Schema{
			"strategy":      {Type: huma.TypeString},
			"configuration": {Type: huma.TypeObject, Nullable: true, AdditionalProperties: true},
		},
	}
	return &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeArray, Items: one, MaxItems: &most}, one}}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *maskingChoice) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return unmarshalNumbers(text, (*[]maskingSpec)(c))
	}
	*c = make(maskingChoice, 1)
	return unmarshalNumbers(text, &(*c)[0])
}

// maskAnswer is what became of values.
type maskAnswer struct {
	Plain  []string `json:"plain" nullable:"false"`
	Masked []any    `json:"masked_values" nullable:"false"`
}

func (d *Door) maskValues(_ context.Context, in *maskInput) (*maskAnswer, error) {
	out := &maskAnswer{Plain: in.Body.Values, Masked: make([]any, len(in.Body.Values))}
	for i, v := range in.Body.Values {
		out.Masked[i] = v
	}
	for _, spec := range in.Body.Strategy {
		if !slices.Contains(mask.Names(), spec.Strategy) {
			return nil, refuse(http.StatusNotFound, "Strategy '%s' does not exist. Valid strategies are [%s]", spec.Strategy, strings.Join(mask.Names(), ", "))
		}
		strategy, err := mask.New(spec.Strategy, spec.Configuration, onceSecrets{})
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "%s", strings.TrimPrefix(err.Error(), "mask: "))
		}
		written := 0
		for i, v := range out.Masked {
			if out.Masked[i], err = strategy.Mask(v); err != nil {
				return nil, err
			}
			made, _ := out.Masked[i].(string)
			if written += len(made); written > maxMasked {
				return nil, refuse(http.StatusBadRequest, "The masked values would have more than %d bytes", maxMasked)
			}
		}
	}
	return out, nil
}

// maxMasked bounds what a strategy may write in all, in bytes.
const maxMasked = 4 << 20

// onceSecrets are good for one try-out: requests have others.
type onceSecrets struct{}

// Secret implements [mask.Secrets].
func (onceSecrets) Secret(strategy, use string) ([]byte, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	if strategy == mask.AESEncrypt && use == "key" {
		return secret, nil
	}
	return []byte(base64.RawURLEncoding.EncodeToString(secret)), nil
}

// strategyView describes a strategy.
type strategyView struct {
	Name           string         `json:"name"`
	Description    string         `json:"description"`
	Configurations []strategyNeed `json:"configurations" nullable:"false"`
}

type strategyNeed struct {
	Key         string `json:"key"`
	Optional    bool   `json:"optional"`
	Description string `json:"description"`
}

func (d *Door) listStrategies(context.Context, *struct{}) (*[]strategyView, error) {
	suffix := strategyNeed{"format_preservation", true, `An object {"suffix": text}: the text is put behind the masked value.`}
	algorithm := strategyNeed{"algorithm", true, "SHA-256 or SHA-512. Defaults to SHA-256."}
	return &[]strategyView{
		{mask.AESEncrypt, "Encrypts the value with AES. Equal values of a request are masked equally.", []strategyNeed{
			{"mode", true, "GCM, which is the default."}, suffix,
		}},
		{mask.Hash, "Writes a salted hash of the value.", []strategyNeed{algorithm, suffix}},
		{mask.HMAC, "Writes a hash of the value that is keyed and salted.", []strategyNeed{algorithm, suffix}},
		{mask.NullRewrite, "Writes null.", []strategyNeed{}},
		{mask.Preserve, "Leaves the value as it is.", []strategyNeed{}},
		{mask.RandomStringRewrite, "Writes random letters and digits.", []strategyNeed{
			{"length", true, "How many, 1 to 65536. Defaults to 30."}, suffix,
		}},
		{mask.StringRewrite, "Writes a constant text.", []strategyNeed{{"rewrite_value", false, "The text."}, suffix}},
	}, nil
}
