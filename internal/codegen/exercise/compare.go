package exercise

import (
	"database/sql"
	"fmt"
	"reflect"
	"time"
)

// Same compares values of types that are written alike in two packages, and
// says where they differ first.
func Same(want, got any) string {
	return sameValue("result", reflect.ValueOf(want), reflect.ValueOf(got))
}

func sameValue(at string, want, got reflect.Value) string {
	if want.IsValid() != got.IsValid() {
		return fmt.Sprintf("%s: want %v, got %v", at, want, got)
	}
	if !want.IsValid() {
		return ""
	}
	if want.Kind() != got.Kind() {
		return fmt.Sprintf("%s: want a %s (%v), got a %s (%v)", at, want.Type(), want, got.Type(), got)
	}
	if w, ok := want.Interface().(time.Time); ok {
		if g, ok := got.Interface().(time.Time); !ok || !w.Equal(g) {
			return fmt.Sprintf("%s: want %v, got %v", at, w, got)
		}
		return ""
	}
	switch want.Kind() {
	case reflect.Pointer, reflect.Interface:
		if want.IsNil() || got.IsNil() {
			if want.IsNil() != got.IsNil() {
				return fmt.Sprintf("%s: want nil: %v, got nil: %v", at, want.IsNil(), got.IsNil())
			}
			return ""
		}
		return sameValue(at, want.Elem(), got.Elem())
	case reflect.Slice:
		if want.IsNil() != got.IsNil() || want.Len() != got.Len() {
			return fmt.Sprintf("%s: want %d (nil: %v), got %d (nil: %v)", at, want.Len(), want.IsNil(), got.Len(), got.IsNil())
		}
		for i := range want.Len() {
			if d := sameValue(fmt.Sprintf("%s[%d]", at, i), want.Index(i), got.Index(i)); d != "" {
				return d
			}
		}
		return ""
	case reflect.Struct:
		for i := range want.NumField() {
			if !want.Field(i).CanInterface() {
				continue
			}
			if d := sameValue(at+"."+want.Type().Field(i).Name, want.Field(i), got.Field(i)); d != "" {
				return d
			}
		}
		return ""
	}
	if want.Interface() != got.Convert(want.Type()).Interface() {
		return fmt.Sprintf("%s: want %#v, got %#v", at, want, got)
	}
	return ""
}

// alike compares results whose types differ, as those of strict types do: only
// the values count, an absent one is nil.
func alike(want, got any) string {
	w, g := flatten(nil, reflect.ValueOf(want)), flatten(nil, reflect.ValueOf(got))
	if len(w) != len(g) {
		return fmt.Sprintf("want %d values %v, got %d values %v", len(w), w, len(g), g)
	}
	for i := range w {
		if !alikeValue(w[i], g[i]) {
			return fmt.Sprintf("value %d: want %v (%T), got %v (%T)", i, w[i], w[i], g[i], g[i])
		}
	}
	return ""
}

func alikeValue(w, g any) bool {
	if t, ok := w.(time.Time); ok {
		u, ok := g.(time.Time)
		return ok && t.Equal(u)
	}
	return w == g
}

// flatten lists the values in v, in the order of its fields and elements.
func flatten(to []any, v reflect.Value) []any {
	if !v.IsValid() {
		return append(to, nil)
	}
	switch x := v.Interface().(type) {
	case time.Time:
		return append(to, x)
	case outcome:
		return append(to, x.Rows)
	case sql.NullTime:
		if x.Valid {
			return append(to, x.Time)
		}
		return append(to, nil)
	}
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(to, int64(1))
		}
		return append(to, int64(0))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return append(to, v.Int())
	case reflect.Float32, reflect.Float64:
		return append(to, v.Float())
	case reflect.String:
		return append(to, v.String())
	case reflect.Interface:
		if v.IsNil() {
			return append(to, nil)
		}
		return flatten(to, v.Elem())
	case reflect.Pointer:
		if v.IsNil() {
			for range width(v.Type().Elem()) {
				to = append(to, nil)
			}
			return to
		}
		return flatten(to, v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if v.IsNil() {
				return append(to, nil)
			}
			return append(to, string(v.Bytes()))
		}
		for i := range v.Len() {
			to = flatten(to, v.Index(i))
		}
		return to
	case reflect.Struct:
		if valid := v.FieldByName("Valid"); valid.IsValid() && v.NumField() == 2 {
			if !valid.Bool() {
				return append(to, nil)
			}
			return flatten(to, v.Field(0))
		}
		for i := range v.NumField() {
			if v.Field(i).CanInterface() {
				to = flatten(to, v.Field(i))
			}
		}
		return to
	}
	return append(to, fmt.Sprint(v))
}

// width is how many values a type flattens to.
func width(t reflect.Type) int {
	return len(flatten(nil, reflect.New(t).Elem()))
}
