package org.dpo4j.spark;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.run.ScoredRow;

/**
 * The columns that scoring adds to rows.
 *
 * @param names in their order
 * @param types of the columns
 */
record ScoreColumns(List<String> names, List<DataType> types) implements Serializable {

  private static final String REJECTED_INDEX = "rejected_index";
  private static final String STATUS = "status";
  private static final String REASON = "reason";

  static ScoreColumns of(ExampleKind kind, boolean reference) {
    Map<String, DataType> columns = new LinkedHashMap<>();
    if (kind == ExampleKind.PAIRS) {
      columns.put(REJECTED_INDEX, DataTypes.IntegerType);
    }
    columns.put(STATUS, DataTypes.StringType);
    columns.put(REASON, DataTypes.StringType);
    numbers(
        columns,
        kind == ExampleKind.PAIRS ? List.of("chosen_logps", "rejected_logps") : List.of("logps"));
    for (String tokens :
        kind == ExampleKind.PAIRS
            ? List.of("chosen_tokens", "rejected_tokens")
            : List.of("tokens")) {
      columns.put(tokens, DataTypes.IntegerType);
    }
    if (reference) {
      numbers(
          columns,
          kind == ExampleKind.PAIRS
              ? List.of(
                  "ref_chosen_logps",
                  "ref_rejected_logps",
                  "rewards/chosen",
                  "rewards/rejected",
                  "rewards/margins")
              : List.of("ref_logps", "rewards"));
    }
    return new ScoreColumns(
        List.copyOf(columns.keySet()), List.copyOf(new ArrayList<>(columns.values())));
  }

  private static void numbers(Map<String, DataType> columns, List<String> names) {
    names.forEach(name -> columns.put(name, DataTypes.DoubleType));
  }

  /**
   * The columns of rows, then these.
   *
   * @throws UsageException if a row has a column of one of these names
   */
  StructType addTo(StructType schema) {
    StructType result = schema;
    for (int i = 0; i < names.size(); i++) {
      String name = names.get(i);
      // Spark takes names that differ in case for one by default.
      if (Arrays.stream(schema.fieldNames()).anyMatch(name::equalsIgnoreCase)) {
        throw new UsageException(
            "the column %s must not be there before scoring, which adds it; drop or rename it"
                .formatted(name.toLowerCase(Locale.ROOT)));
      }
      result = result.add(new StructField(name, types.get(i), true, Metadata.empty()));
    }
    return result;
  }

  /** A row of the result. */
  Row row(Row row, ScoredRow scored) {
    Object[] values = new Object[row.size() + names.size()];
    for (int i = 0; i < row.size(); i++) {
      values[i] = row.get(i);
    }
    Map<String, Object> found = scored.columns();
    int rejected = scored.row().origin().rejectedIndex();
    if (rejected > 0) {
      found.put(REJECTED_INDEX, rejected);
    }
    found.put(STATUS, scored.row().status().toString());
    found.put(REASON, OptionText.plain(scored.row().reason()));
    for (int i = 0; i < names.size(); i++) {
      values[row.size() + i] = found.get(names.get(i));
    }
    return RowFactory.create(values);
  }
}
