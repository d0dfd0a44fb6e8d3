package org.dpo4j.spark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.dpo4j.data.DataInput;
import org.jspecify.annotations.Nullable;
import scala.jdk.javaapi.CollectionConverters;

/** Rows of Spark as the rows of a data file: maps from column names to JSON values. */
final class SparkRows {

  /** Takes the place of a file's path in messages about all rows. */
  static final String NAME = "dataset";

  private SparkRows() {}

  /**
   * Rows as data.
   *
   * @param name takes the place of a file's path in messages
   * @param rows read once
   * @param untyped as in {@link #untyped}
   */
  static DataInput input(String name, Iterator<Row> rows, boolean untyped) {
    return DataInput.inMemory(
        name,
        () ->
            new Iterator<Map<String, ?>>() {
              @Override
              public boolean hasNext() {
                return rows.hasNext();
              }

              @Override
              public Map<String, ?> next() {
                return fields(rows.next());
              }
            },
        untyped);
  }

  /** One row with the columns of a schema, by which the kind of its examples is known. */
  static DataInput sample(StructType schema) {
    Map<String, Object> row = new LinkedHashMap<>();
    for (StructField field : schema.fields()) {
      row.put(
          field.name(),
          field.dataType() instanceof StringType
              ? ""
              : field.dataType() instanceof ArrayType ? List.of() : 0);
    }
    return DataInput.inMemory(NAME, List.of(row));
  }

  /** Whether all columns are text, as those of a CSV file. */
  static boolean untyped(StructType schema) {
    return Arrays.stream(schema.fields()).allMatch(field -> field.dataType() instanceof StringType);
  }

  /** The columns that have a value: a schema has columns that a row of its file does not. */
  private static Map<String, ?> fields(Row row) {
    Map<String, Object> fields = new LinkedHashMap<>();
    String[] names = row.schema().fieldNames();
    for (int i = 0; i < names.length; i++) {
      Object value = value(row.get(i));
      if (value != null) {
        fields.put(names[i], value);
      }
    }
    return fields;
  }

  private static @Nullable Object value(@Nullable Object value) {
    if (value instanceof Row row) {
      return fields(row);
    }
    if (value instanceof scala.collection.Seq<?> items) {
      List<@Nullable Object> list = new ArrayList<>();
      CollectionConverters.asJava(items).forEach(item -> list.add(value(item)));
      return list;
    }
    if (value instanceof scala.collection.Map<?, ?> entries) {
      Map<String, @Nullable Object> map = new LinkedHashMap<>();
      CollectionConverters.asJava(entries)
          .forEach((key, item) -> map.put(String.valueOf(key), value(item)));
      return map;
    }
    if (value instanceof Long || value instanceof Short || value instanceof Byte) {
      // Integers as a JSON parser returns them.
      long number = ((Number) value).longValue();
      if (number == (int) number) {
        return (int) number;
      }
      return number;
    }
    if (value instanceof Float number) {
      return number.doubleValue();
    }
    if (value == null
        || value instanceof Number
        || value instanceof Boolean
        || value instanceof byte[]) {
      return value;
    }
    return value.toString(); // a date, for example, in a column that is not used
  }
}
