package prove

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// highest leaves room above: after a rowid of math.MaxInt64 the next insert is
// refused as if the disk were full, and that ends the whole transaction.
const highest = math.MaxInt64 - 1<<40

// Values are drawn so that they often meet: most are among a few.
var (
	ints = rapid.OneOf(rapid.Int64Range(-2, 4), rapid.Int64Range(-2, 4), rapid.Int64Range(-2, 4),
		rapid.SampledFrom([]int64{math.MinInt64, highest, 1 << 53, 1<<53 + 1, -1 << 31}), rapid.Int64Range(math.MinInt64, highest))
	floats = rapid.OneOf(rapid.SampledFrom([]float64{0, 1, 1.5, -2.5, 3, 0.1}), rapid.SampledFrom([]float64{0, 1, 1.5, -2.5, 3, 0.1}),
		rapid.SampledFrom([]float64{1e300, -1e-300, 1e15, 1 << 53, math.MaxFloat64, math.SmallestNonzeroFloat64}), rapid.Float64())
	texts = rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "A", "", "1"}), rapid.SampledFrom([]string{"a", "b", "A", "", "1"}),
		rapid.SampledFrom([]string{"%", "a_", "!%", "it's", "\"q\"", "Größe", "日本", "1.5", " 1", "x' OR 1=1 --", "\u2028", "\\", "\n", "null", "5e2"}),
		rapid.StringN(0, 12, -1))
	blobs  = rapid.OneOf(rapid.SampledFrom([][]byte{nil, {}, {1}, {0, 255}, []byte("a")}), rapid.SliceOfN(rapid.Byte(), 0, 20))
	moment = time.Date(2024, 2, 29, 12, 30, 15, 0, time.UTC)
	times  = rapid.OneOf(
		rapid.SampledFrom([]time.Time{moment, moment.AddDate(0, 0, 1), moment.Add(time.Nanosecond), {}, moment.In(time.FixedZone("", 3600*5))}),
		rapid.Custom(func(t *rapid.T) time.Time {
			return time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanoseconds")).UTC()
		}))
	documents = rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`{}`), json.RawMessage(`{"a":1}`), json.RawMessage(`{"a":null}`),
		json.RawMessage(`{"a":"x"}`), json.RawMessage(`[1,2]`), json.RawMessage(`{"a":[1]}`), json.RawMessage(`"é"`), json.RawMessage(`3`)})
)

// draw makes a value of a type of a parameter.
func draw(t *rapid.T, typ reflect.Type, label string) reflect.Value {
	v := reflect.New(typ).Elem()
	drawInto(t, v, label)
	return v
}

func drawInto(t *rapid.T, v reflect.Value, label string) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = times.Draw(t, label)
		return
	case *json.RawMessage:
		*p = documents.Draw(t, label)
		return
	case *[]byte:
		*p = blobs.Draw(t, label)
		return
	case *sql.NullTime:
		if rapid.Bool().Draw(t, label+" is there") {
			*p = sql.NullTime{Time: times.Draw(t, label), Valid: true}
		}
		return
	}
	switch v.Kind() {
	case reflect.Int64:
		v.SetInt(ints.Draw(t, label))
	case reflect.Float64:
		v.SetFloat(floats.Draw(t, label))
	case reflect.String:
		v.SetString(texts.Draw(t, label))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, label))
	case reflect.Interface:
		if x := anything(t, label); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.Struct && !isLeaf(v.Type().Elem()) || rapid.Bool().Draw(t, label+" is there") {
			v.Set(reflect.New(v.Type().Elem()))
			drawInto(t, v.Elem(), label)
		}
	case reflect.Slice:
		n := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 3), rapid.IntRange(0, 3), rapid.Just(300)).Draw(t, label+" length")
		if n == 0 && rapid.Bool().Draw(t, label+" is nil") {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		few := min(n, 5) // the rest repeats them
		for i := range n {
			if i < few {
				drawInto(t, v.Index(i), fmt.Sprintf("%s[%d]", label, i))
			} else {
				v.Index(i).Set(v.Index(i % few))
			}
		}
	case reflect.Struct:
		if valid := v.FieldByName("Valid"); valid.IsValid() && v.NumField() == 2 {
			if rapid.Bool().Draw(t, label+" is there") {
				valid.SetBool(true)
				drawInto(t, v.Field(0), label)
			}
			return
		}
		for i := range v.NumField() {
			drawInto(t, v.Field(i), label+"."+v.Type().Field(i).Name)
		}
	default:
		panic(fmt.Sprintf("a parameter of type %s", v.Type()))
	}
}

func anything(t *rapid.T, label string) any {
	switch rapid.IntRange(0, 5).Draw(t, label+" is") {
	case 0:
		return nil
	case 1:
		return floats.Draw(t, label)
	case 2:
		return texts.Draw(t, label)
	case 3:
		return blobs.Draw(t, label)
	case 4:
		return rapid.Bool().Draw(t, label)
	}
	return ints.Draw(t, label)
}

// isLeaf reports whether a struct is one value of the database.
func isLeaf(t reflect.Type) bool {
	return t == reflect.TypeFor[time.Time]() || reflect.PointerTo(t).Implements(reflect.TypeFor[sql.Scanner]())
}

// arguments lists the values for the parameters of a query by their number:
// what the method takes, or the fields of the struct it takes. It returns nil
// where they are not as many as the query has.
func arguments(in []reflect.Value, order []int) []reflect.Value {
	values := in
	if len(in) == 1 {
		v := in[0]
		if v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct && !isLeaf(v.Type().Elem()) {
			v = v.Elem()
		}
		if v.Kind() == reflect.Struct && !isLeaf(v.Type()) {
			values = nil
			for i := range v.NumField() {
				values = append(values, v.Field(i))
			}
		}
	}
	if len(values) != len(order) {
		return nil
	}
	byNumber := make([]reflect.Value, len(values))
	for i, number := range order {
		byNumber[number-1] = values[i]
	}
	return byNumber
}

func show(args []reflect.Value) string {
	var list []string
	for i, a := range args {
		text := fmt.Sprintf("%#v", a.Interface())
		if x, err := json.Marshal(a.Interface()); err == nil {
			text = string(x)
		}
		list = append(list, fmt.Sprintf("?%d: %s = %.300s", i+1, a.Type(), text))
	}
	return strings.Join(list, ", ")
}
