package org.dpo4j.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.parquet.format.ConvertedType;
import org.apache.parquet.format.SchemaElement;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;
import org.apache.parquet.schema.Types;
import org.jspecify.annotations.Nullable;

/**
 * The tree of columns, built from the footer's flat list of elements, each followed by its
 * children. Logical types are kept only where they change the Java type of a value: lists, maps and
 * texts.
 */
final class ParquetSchema {
  private static final int MAX_DEPTH = 100;

  private final Path path;
  private final List<SchemaElement> elements;
  private int at = 1;

  private ParquetSchema(Path path, List<SchemaElement> elements) {
    this.path = path;
    this.elements = elements;
  }

  /**
   * @throws org.dpo4j.DpoException if the list does not form a tree
   */
  static MessageType of(Path path, List<SchemaElement> elements) {
    ParquetSchema schema = new ParquetSchema(path, elements);
    if (elements.isEmpty()) {
      throw ParquetSource.damaged(path, "its footer", null);
    }
    List<Type> columns = schema.children(elements.get(0).getNum_children(), 0);
    return new MessageType(elements.get(0).getName(), columns);
  }

  private List<Type> children(int count, int depth) {
    if (depth > MAX_DEPTH || count > elements.size() - at) {
      throw ParquetSource.damaged(path, "its footer", null);
    }
    List<Type> types = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      types.add(next(depth));
    }
    return types;
  }

  private Type next(int depth) {
    if (at == elements.size()) {
      throw ParquetSource.damaged(path, "its footer", null);
    }
    SchemaElement element = elements.get(at);
    at++;
    Type.Repetition repetition = Type.Repetition.valueOf(element.getRepetition_type().name());
    LogicalTypeAnnotation meaning = meaning(element);
    if (element.isSetType()) {
      return new PrimitiveType(
              repetition, physical(element), element.getType_length(), element.getName())
          .withLogicalTypeAnnotation(meaning);
    }
    return Types.buildGroup(repetition)
        .as(meaning)
        .addFields(children(element.getNum_children(), depth + 1).toArray(Type[]::new))
        .named(element.getName());
  }

  /** Translates between the library's two sets of names for the same types. */
  private static PrimitiveTypeName physical(SchemaElement element) {
    return switch (element.getType()) {
      case BYTE_ARRAY -> PrimitiveTypeName.BINARY;
      case FIXED_LEN_BYTE_ARRAY, INT96, BOOLEAN, INT32, INT64, FLOAT, DOUBLE ->
          PrimitiveTypeName.valueOf(element.getType().name());
    };
  }

  private static @Nullable LogicalTypeAnnotation meaning(SchemaElement element) {
    ConvertedType old = element.getConverted_type();
    boolean isNew = element.isSetLogicalType();
    if (old == ConvertedType.LIST || (isNew && element.getLogicalType().isSetLIST())) {
      return LogicalTypeAnnotation.listType();
    }
    if (old == ConvertedType.MAP
        || old == ConvertedType.MAP_KEY_VALUE
        || (isNew && element.getLogicalType().isSetMAP())) {
      return LogicalTypeAnnotation.mapType();
    }
    return null;
  }
}
