package fides

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/graph"
)

const tagDatasets = "Datasets"

// Limits on datasets.
const (
	maxDatasets    = 1000
	datasetsBytes  = 4 << 20 // what is read of them takes a few hundred times as much
	yamlMedia      = "application/x-yaml"
	datasetPathAll = "/connection/{connection_key}/dataset"
	datasetPathOne = datasetPathAll + "/{dataset_key}"
	datasetConfigs = "/connection/{connection_key}/datasetconfig"
)

// datasetRoutes are what is done with the datasets of a connection.
func (d *Door) datasetRoutes() []route {
	write, read := []string{oauth.ScopeDatasetCreateOrUpdate}, []string{oauth.ScopeDatasetRead}
	missing, conflict := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	return []route{
		{
			method: "PUT", path: "/connection/{connection_key}/validate_dataset", scopes: read, errors: missing, body: datasetsBytes,
			id: "validate_dataset", summary: "Check a dataset, without keeping it", tag: tagDatasets, call: typed(d.validateDataset),
		},
		{
			method: "PATCH", path: datasetPathAll, scopes: write, errors: conflict, body: datasetsBytes,
			id: "patch_datasets", summary: "Create or change datasets", tag: tagDatasets, call: typed(d.patchDatasets),
		},
		{
			method: "PATCH", path: "/yml" + datasetPathAll, scopes: write, errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadRequest},
			body: datasetsBytes, accepts: []string{yamlMedia}, form: datasetFile{},
			id: "patch_datasets_yaml", summary: "Create or change the datasets of a file in YAML", tag: tagDatasets, call: typed(d.patchDatasetsYAML),
		},
		{
			method: "GET", path: datasetPathAll, scopes: read, errors: missing,
			id: "get_datasets", summary: "Datasets of a connection, the newest first", description: byKey, tag: tagDatasets, call: typed(d.listDatasets),
		},
		{
			method: "GET", path: datasetPathOne, scopes: read, errors: missing,
			id: "get_dataset", summary: "A dataset", tag: tagDatasets, call: typed(d.getDataset),
		},
		{
			method: "DELETE", path: datasetPathOne, scopes: []string{oauth.ScopeDatasetDelete}, errors: conflict, status: http.StatusNoContent,
			id: "delete_dataset", summary: "Delete a dataset", tag: tagDatasets, call: typed(d.deleteDataset),
		},
		{
			method: "GET", path: datasetPathOne + "/inputs", scopes: read, errors: missing,
			id: "get_dataset_inputs", summary: "The identities and the fields of other datasets that lead to a dataset", tag: tagDatasets, call: typed(d.datasetInputs),
		},
		{
			method: "GET", path: datasetPathOne + "/reachability", scopes: read, errors: missing,
			id: "get_dataset_reachability", summary: "Whether identities lead to all collections of a dataset", tag: tagDatasets, call: typed(d.datasetReachability),
		},
		{
			method: "PUT", path: datasetConfigs, scopes: write, errors: conflict,
			id: "put_dataset_configs", summary: "Give a connection these datasets, and no others", tag: tagDatasets, call: typed(d.putDatasetConfigs),
			description: "The datasets that the connection has besides are deleted, for which it needs the scope `dataset:delete` as well.",
			view:        datasetConfigView{},
		},
		{
			method: "PATCH", path: datasetConfigs, scopes: write, errors: conflict,
			id: "patch_dataset_configs", summary: "Give a connection these datasets", tag: tagDatasets, call: typed(d.patchDatasetConfigs),
			view: datasetConfigView{},
		},
		{
			method: "GET", path: datasetConfigs, scopes: read, errors: missing,
			id: "get_dataset_configs", summary: "Datasets of a connection with their keys, the newest first", description: byKey, tag: tagDatasets, call: typed(d.listDatasetConfigs),
		},
		{
			method: "GET", path: datasetConfigs + "/{dataset_key}", scopes: read, errors: missing,
			id: "get_dataset_config", summary: "A dataset with its key", tag: tagDatasets, call: typed(d.getDatasetConfig),
		},
	}
}

// datasetPath is the path of what is about one dataset.
type datasetPath struct {
	Connection string `json:"connection_key" minLength:"1" maxLength:"1000"`
	Key        string `json:"dataset_key" minLength:"1" maxLength:"1000"`
}

type oneDataset struct{ Path datasetPath }

// datasetWarning tells what has no effect, or cannot be used since this call.
type datasetWarning struct {
	Collection *string `json:"collection"`
	Field      *string `json:"field"`
	Action     string  `json:"action" enum:"ignored,unusable"`
	Message    string  `json:"message"`
}

// bulkDatasets is the answer to a bulk call on datasets.
type bulkDatasets struct {
	Succeeded []datasetObject  `json:"succeeded" nullable:"false"`
	Failed    []bulkFailure    `json:"failed" nullable:"false"`
	Warnings  []datasetWarning `json:"warnings" nullable:"false"`
}

type patchDatasetsInput struct {
	Path connectionPath
	Body []datasetObject `maxItems:"1000"`
}

// datasetFile is a file of datasets.
type datasetFile struct {
	Datasets []datasetObject `json:"dataset"`
}

func (in *patchDatasetsInput) check() (faults []fault) {
	for i := range in.Body {
		faults = append(faults, in.Body[i].check("body", i)...)
	}
	return faults
}

func (d *Door) patchDatasets(ctx context.Context, in *patchDatasetsInput) (*bulkDatasets, error) {
	return d.putDatasets(ctx, in.Path.Key, in.Body)
}

// putDatasets puts datasets into a connection: those that are sound.
func (d *Door) putDatasets(ctx context.Context, connection string, list []datasetObject) (*bulkDatasets, error) {
	answer := &bulkDatasets{Succeeded: []datasetObject{}, Failed: []bulkFailure{}, Warnings: []datasetWarning{}}
	unsound, keys := map[int]string{}, make([]string, len(list))
	for i := range list {
		keys[i] = list[i].key()
		_, found, err := list[i].load()
		if err != nil {
			unsound[i] = faultsText(err)
			continue
		}
		answer.ignored(found.Warnings())
	}
	var refusal error
	fresh := d.freshProblems(ctx)
	failed, err := d.changeEach(ctx, len(list), func(i int) string { return "dataset " + keys[i] }, func(defs *dsr.Definitions, i int, again bool) string {
		var conn *dsr.ConnectionDefinition
		if conn, refusal = connectionIn(defs, connection); refusal != nil {
			return refusal.Error()
		}
		if unsound[i] != "" {
			return unsound[i]
		}
		def := defs.Datasets[keys[i]]
		switch {
		case conn.Fixed || def != nil && def.Fixed:
			return notHere
		case again:
			return keyTwice(keys[i])
		case d.madeOfTask(defs, connection) != "":
			return d.madeOfTask(defs, connection)
		case def != nil && def.Connection != connection:
			return fmt.Sprintf("Dataset '%s' belongs to connection '%s'.", keys[i], def.Connection)
		case def == nil:
			def = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: keys[i]}, Connection: connection}
			defs.Datasets[keys[i]] = def
		}
		def.Source, def.Name = list[i].source(), list[i].name()
		return ""
	})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		_, _, refusal = d.connectionNow(ctx, connection)
	}
	if refusal != nil {
		return nil, refusal
	}
	for i := range list {
		if failed[i] != "" {
			answer.Failed = append(answer.Failed, bulkFailure{failed[i], json.RawMessage(list[i])})
			continue
		}
		answer.Succeeded = append(answer.Succeeded, list[i])
	}
	answer.unusable(fresh())
	return answer, nil
}

// unusable warns of what cannot be used since the call.
func (b *bulkDatasets) unusable(messages []string) {
	for _, message := range messages {
		b.Warnings = append(b.Warnings, datasetWarning{Action: "unusable", Message: message})
	}
}

// maxIgnored bounds the warnings of a call about what has no effect.
const maxIgnored = 1000

// ignored warns of what has no effect.
func (b *bulkDatasets) ignored(found graph.Diagnostics) {
	for _, w := range found {
		message := w.Text()
		switch len(b.Warnings) {
		case maxIgnored:
			message = fmt.Sprintf("these are not all: there are more than %d warnings", maxIgnored)
		case maxIgnored + 1:
			return
		}
		b.Warnings = append(b.Warnings, datasetWarning{Action: "ignored", Message: message})
	}
}

// connectionIn is a connection that datasets are asked of.
func connectionIn(defs *dsr.Definitions, key string) (*dsr.ConnectionDefinition, error) {
	if def := defs.Connections[key]; def != nil {
		return def, nil
	}
	return nil, refuse(http.StatusNotFound, "No connection config with key '%s'", key)
}

func (d *Door) connectionNow(ctx context.Context, key string) (*dsr.Definitions, *dsr.ConnectionDefinition, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, nil, err
	}
	def, err := connectionIn(defs, key)
	return defs, def, err
}

// datasetsOf are the datasets of a connection, the newest first.
func datasetsOf(defs *dsr.Definitions, connection string) (list []*dsr.DatasetDefinition) {
	for _, def := range defs.Datasets {
		if def.Connection == connection {
			list = append(list, def)
		}
	}
	return newestFirst(list, func(def *dsr.DatasetDefinition) *dsr.Defined { return &def.Defined })
}

// datasetNow returns a dataset of a connection; nil where there is none.
func (d *Door) datasetNow(ctx context.Context, p datasetPath) (*dsr.Definitions, *dsr.DatasetDefinition, error) {
	defs, _, err := d.connectionNow(ctx, p.Connection)
	if err != nil {
		return nil, nil, err
	}
	def := defs.Datasets[p.Key]
	if def != nil && def.Connection != p.Connection {
		def = nil
	}
	return defs, def, nil
}

type listDatasetsInput struct {
	Path  connectionPath
	Query paging
}

func (d *Door) listDatasets(ctx context.Context, in *listDatasetsInput) (*pageOfItems[datasetObject], error) {
	defs, _, err := d.connectionNow(ctx, in.Path.Key)
	if err != nil {
		return nil, err
	}
	return pageFrom(datasetsOf(defs, in.Path.Key), in.Query, objectOf)
}

func (d *Door) getDataset(ctx context.Context, in *oneDataset) (*datasetObject, error) {
	_, def, err := d.datasetNow(ctx, in.Path)
	if err != nil {
		return nil, err
	}
	if def == nil {
		return nil, refuse(http.StatusNotFound, "No dataset with fides_key '%s' and connection key %s'", in.Path.Key, in.Path.Connection)
	}
	object, err := objectOf(def)
	return &object, err
}

func (d *Door) deleteDataset(ctx context.Context, in *oneDataset) (*nothing, error) {
	return nil, d.change(ctx, func(defs *dsr.Definitions) error {
		if _, err := connectionIn(defs, in.Path.Connection); err != nil {
			return err
		}
		def := defs.Datasets[in.Path.Key]
		switch {
		case def == nil || def.Connection != in.Path.Connection:
			return refuse(http.StatusNotFound, "No dataset with fides_key '%s' and connection_key '%s'", in.Path.Key, in.Path.Connection)
		case def.Fixed:
			return refuse(http.StatusConflict, "%s", notHere)
		case d.madeOfTask(defs, def.Connection) != "":
			return refuse(http.StatusConflict, "%s", d.madeOfTask(defs, def.Connection))
		}
		delete(defs.Datasets, in.Path.Key)
		return nil
	})
}

// faultsText is what is wrong with a dataset, cut where it is much.
func faultsText(err error) string {
	var faults *graph.FaultError
	if errors.As(err, &faults) {
		return cut(faultText(faults), maxMessage)
	}
	return err.Error()
}
