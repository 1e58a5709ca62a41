package exercise

import (
	"database/sql"
	"encoding/json"
	"reflect"
	"time"
)

// argumentSets are the kinds of arguments each method is called with: values
// that occur in the filled tables, and Go's zero values, which are NULL,
// nothing, or an empty slice.
var argumentSets = []string{"plain", "zero"}

// The values that fill tables and arguments alike.
var (
	aTime = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	aText = `"a"` // JSON and a full-text query, too
	aJSON = json.RawMessage(`{"k":1}`)
	aBlob = []byte("blob")
)

// argument makes a value of a type.
func argument(t reflect.Type, set string) reflect.Value {
	v := reflect.New(t).Elem()
	if set == "plain" {
		fillValue(v)
		return v
	}
	if t.Kind() == reflect.Struct { // a pointer to parameters must not be nil
		return v
	}
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		return reflect.New(t.Elem())
	}
	return v
}

func fillValue(v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = aTime
		return
	case *json.RawMessage:
		*p = aJSON
		return
	case *[]byte:
		*p = aBlob
		return
	case *sql.NullTime:
		*p = sql.NullTime{Time: aTime, Valid: true}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1.5)
	case reflect.String:
		v.SetString(aText)
	case reflect.Interface:
		v.Set(reflect.ValueOf(aText))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillValue(v.Index(0))
		fillValue(v.Index(1))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fillValue(v.Field(i))
			}
		}
	}
}
