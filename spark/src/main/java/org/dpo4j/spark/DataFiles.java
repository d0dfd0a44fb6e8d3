package org.dpo4j.spark;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.dpo4j.UsageException;

/** Files of rows on any file system that Spark knows; the end of a name says the format. */
final class DataFiles {
  private static final String ENDINGS = ".parquet, .jsonl, .json, .csv or .tsv";

  private DataFiles() {}

  /**
   * All rows, file after file in the order of the paths; the files of a folder or pattern by name.
   *
   * @param option that names the paths, for messages
   * @throws UsageException if there is no such file, or the end of a name is unknown
   */
  static Dataset<Row> read(SparkSession spark, String option, List<String> paths) {
    Dataset<Row> all = null;
    for (String path : paths) {
      for (Path file : files(spark, option, new Path(path))) {
        Dataset<Row> rows = read(spark, option, file);
        all = all == null ? rows : all.unionByName(rows, true);
      }
    }
    if (all == null) {
      throw new UsageException(option, "must name files with rows", "names none", "");
    }
    return all;
  }

  private static List<Path> files(SparkSession spark, String option, Path path) {
    List<Path> files = new ArrayList<>();
    try {
      FileSystem system = path.getFileSystem(spark.sparkContext().hadoopConfiguration());
      FileStatus[] found = system.globStatus(path);
      for (FileStatus status : found == null ? new FileStatus[0] : found) {
        if (status.isFile()) {
          files.add(status.getPath());
          continue;
        }
        Arrays.stream(system.listStatus(status.getPath()))
            .filter(FileStatus::isFile)
            .map(FileStatus::getPath)
            .filter(child -> !child.getName().startsWith(".") && !child.getName().startsWith("_"))
            .sorted()
            .forEach(files::add);
      }
    } catch (IOException | IllegalArgumentException e) {
      throw new UsageException(
          option, "must lead to files that can be read", path + ": " + e.getMessage(), "", e);
    }
    if (files.isEmpty()) {
      throw new UsageException(
          option, "must name a file, a folder or a pattern", "was " + path, "check the path");
    }
    return files;
  }

  private static Dataset<Row> read(SparkSession spark, String option, Path file) {
    String path = file.toString();
    String name = format(path);
    return switch (name) {
      case "parquet" -> spark.read().parquet(path);
      case "jsonl" -> spark.read().json(path);
      case "json" -> spark.read().option("multiLine", isArray(spark, option, file)).json(path);
      case "csv" -> table(spark, path, ",");
      case "tsv" -> table(spark, path, "\t");
      default -> throw unknown(option, path);
    };
  }

  private static Dataset<Row> table(SparkSession spark, String path, String separator) {
    return spark
        .read()
        .option("header", true)
        .option("multiLine", true)
        .option("escape", "\"")
        .option("sep", separator)
        .option("nullValue", "\u0000") // an empty cell is an empty text
        .csv(path);
  }

  /** Spark's own files of JSON hold an object a line under this name, others an array. */
  private static boolean isArray(SparkSession spark, String option, Path file) {
    try {
      FileSystem system = file.getFileSystem(spark.sparkContext().hadoopConfiguration());
      CompressionCodec codec =
          new CompressionCodecFactory(spark.sparkContext().hadoopConfiguration()).getCodec(file);
      try (InputStream raw = system.open(file);
          InputStream in = codec == null ? raw : codec.createInputStream(raw)) {
        int first = in.read();
        while (first == 0xEF || first == 0xBB || first == 0xBF || Character.isWhitespace(first)) {
          first = in.read();
        }
        return first == '[';
      }
    } catch (IOException e) {
      throw new UsageException(
          option, "must lead to files that can be read", file + ": " + e.getMessage(), "", e);
    }
  }

  /** The format by the end of a name, without that of a compression; "" if it is unknown. */
  private static String format(String path) {
    String plain = path.toLowerCase(Locale.ROOT).replaceFirst("\\.(gz|zst|bz2|snappy|lz4)$", "");
    return plain.substring(plain.lastIndexOf('.') + 1);
  }

  private static UsageException unknown(String option, String path) {
    return new UsageException(
        option, "must end in " + ENDINGS, "was " + path, "rename it, or convert it");
  }

  /**
   * Requires a place for a result.
   *
   * @throws UsageException if something is there, or the end of the name is unknown
   */
  static void requireNew(SparkSession spark, String option, String path) {
    if (!List.of("parquet", "jsonl", "json", "csv").contains(format(path))) {
      throw new UsageException(
          option, "must end in .parquet, .jsonl, .json or .csv", "was " + path, "");
    }
    try {
      Path place = new Path(path);
      if (place.getFileSystem(spark.sparkContext().hadoopConfiguration()).exists(place)) {
        throw new UsageException(
            option, "must be a new folder", path + " is there", "name another, or remove it");
      }
    } catch (IOException | IllegalArgumentException e) {
      throw new UsageException(
          option, "must be a path that Spark can write", path + ": " + e.getMessage(), "", e);
    }
  }

  /** Writes a folder of files, which has a file {@code _SUCCESS} when it is complete. */
  static void write(Dataset<Row> rows, String path) {
    switch (format(path)) {
      case "parquet" -> rows.write().parquet(path);
      case "csv" -> flat(rows).write().option("header", true).option("escape", "\"").csv(path);
      default -> rows.write().json(path);
    }
  }

  /** Columns of a table: nested ones as JSON. */
  private static Dataset<Row> flat(Dataset<Row> rows) {
    return rows.select(
        Arrays.stream(rows.schema().fields()).map(DataFiles::flat).toArray(Column[]::new));
  }

  private static Column flat(StructField field) {
    Column column = functions.col("`" + field.name().replace("`", "``") + "`");
    boolean nested =
        field.dataType() instanceof ArrayType
            || field.dataType() instanceof StructType
            || field.dataType() instanceof MapType;
    return nested ? functions.to_json(column).as(field.name()) : column;
  }
}
