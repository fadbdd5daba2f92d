package fides

import (
	"cmp"
	"context"
	"net/http"
	"reflect"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

// datasetPair names a dataset twice, as Fides does, which keeps the dataset and
// its place in a connection apart. Here both are one, with one key.
type datasetPair struct {
	Key        string   `json:"fides_key" maxLength:"1000"`
	Dataset    string   `json:"ctl_dataset_fides_key,omitempty" required:"false" minLength:"1" maxLength:"1000" doc:"The same, and defaults to it."`
	Properties []string `json:"property_ids" required:"false" maxItems:"1000" doc:"There are none."`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps the dataset as it was
// answered.
func (p *datasetPair) UnmarshalJSON(text []byte) (err error) {
	type plain datasetPair
	p.told, err = decodeKeeping(text, (*plain)(p))
	p.Dataset = cmp.Or(p.Dataset, p.Key)
	return err
}

// differs reports whether the dataset is another one than was answered.
func (p *datasetPair) differs(def *dsr.DatasetDefinition) bool {
	if !p.told.has("ctl_dataset") {
		return false
	}
	object, err := objectOf(def)
	var is, said any
	return err != nil || unmarshalNumbers(object, &is) != nil || unmarshalNumbers(p.told["ctl_dataset"], &said) != nil || !reflect.DeepEqual(is, said)
}

type datasetPairsInput struct {
	Path connectionPath
	Body []datasetPair `maxItems:"1000"`
}

func (in *datasetPairsInput) check() (faults []fault) {
	for i := range in.Body {
		faults = append(faults, keyFault(&in.Body[i].Key, "body", i, "fides_key")...)
		faults = append(faults, keyFault(&in.Body[i].Dataset, "body", i, "ctl_dataset_fides_key")...)
	}
	return faults
}

func (d *Door) putDatasetConfigs(ctx context.Context, in *datasetPairsInput) (*bulkDatasets, error) {
	return d.pairDatasets(ctx, in, true)
}

func (d *Door) patchDatasetConfigs(ctx context.Context, in *datasetPairsInput) (*bulkDatasets, error) {
	return d.pairDatasets(ctx, in, false)
}

// pairDatasets moves datasets to a connection; only drops those that it has
// besides. A dataset and its place being one, these are deleted, which takes the
// scope for it: no request finds anything in them any more.
func (d *Door) pairDatasets(ctx context.Context, in *datasetPairsInput, only bool) (*bulkDatasets, error) {
	failed, fresh := map[int]string{}, d.freshProblems(ctx)
	err := d.change(ctx, func(defs *dsr.Definitions) error {
		clear(failed)
		conn, err := connectionIn(defs, in.Path.Key)
		switch {
		case err != nil:
			return err
		case conn.Fixed:
			return refuse(http.StatusConflict, "%s", notHere)
		case d.madeOfTask(defs, conn.Key) != "":
			return refuse(http.StatusConflict, "%s", d.madeOfTask(defs, conn.Key))
		}
		for _, pair := range in.Body {
			if defs.Datasets[pair.Dataset] == nil {
				return refuse(http.StatusNotFound, "No CTL dataset found with fides_key '%s'", pair.Dataset)
			}
		}
		for i, pair := range in.Body {
			def := defs.Datasets[pair.Dataset]
			switch {
			case pair.Key != pair.Dataset:
				failed[i] = "A dataset has one key: fides_key and ctl_dataset_fides_key must be the same."
			case len(pair.Properties) > 0:
				failed[i] = "Unknown property IDs: there are none."
			case def.Fixed:
				failed[i] = notHere
			case pair.differs(def):
				failed[i] = "'ctl_dataset' is told only. Datasets are changed at PATCH /connection/{connection_key}/dataset."
			case d.madeOfTask(defs, def.Connection) != "":
				failed[i] = d.madeOfTask(defs, def.Connection)
			default:
				def.Connection = conn.Key
			}
		}
		if only {
			for _, def := range datasetsOf(defs, conn.Key) {
				if slices.ContainsFunc(in.Body, func(p datasetPair) bool { return p.Key == def.Key || p.Dataset == def.Key }) {
					continue
				}
				if err := principalOf(ctx).Require(oauth.ScopeDatasetCreateOrUpdate, oauth.ScopeDatasetDelete); err != nil {
					return err
				}
				delete(defs.Datasets, def.Key)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	answer := &bulkDatasets{Succeeded: []datasetObject{}, Failed: []bulkFailure{}, Warnings: []datasetWarning{}}
	for i, pair := range in.Body {
		def := defs.Datasets[pair.Dataset]
		if failed[i] == "" && def == nil {
			failed[i] = "It was deleted meanwhile."
		}
		if failed[i] != "" {
			answer.Failed = append(answer.Failed, bulkFailure{failed[i], pair.told})
			continue
		}
		object, err := objectOf(def)
		if err != nil {
			return nil, err
		}
		answer.Succeeded = append(answer.Succeeded, object)
	}
	answer.unusable(fresh())
	return answer, nil
}

// datasetConfigView is a dataset with its key.
type datasetConfigView struct {
	Key     string        `json:"fides_key"`
	Dataset datasetObject `json:"ctl_dataset"`
}

func configOf(def *dsr.DatasetDefinition) (datasetConfigView, error) {
	object, err := objectOf(def)
	return datasetConfigView{def.Key, object}, err
}

type listDatasetConfigsInput struct {
	Path  connectionPath
	Query struct { // pages may be larger than elsewhere
		Page int `json:"page" required:"false" minimum:"1" maximum:"1000000" default:"1"`
		Size int `json:"size" required:"false" minimum:"1" maximum:"1000" default:"50"`
	}
}

func (d *Door) listDatasetConfigs(ctx context.Context, in *listDatasetConfigsInput) (*pageOfItems[datasetConfigView], error) {
	defs, _, err := d.connectionNow(ctx, in.Path.Key)
	if err != nil {
		return nil, err
	}
	return pageFrom(datasetsOf(defs, in.Path.Key), paging(in.Query), configOf)
}

func (d *Door) getDatasetConfig(ctx context.Context, in *oneDataset) (*datasetConfigView, error) {
	_, def, err := d.datasetNow(ctx, in.Path)
	if err != nil {
		return nil, err
	}
	if def == nil {
		return nil, refuse(http.StatusNotFound, "No dataset config with fides_key '%s' and connection key %s'", in.Path.Key, in.Path.Connection)
	}
	v, err := configOf(def)
	return &v, err
}
