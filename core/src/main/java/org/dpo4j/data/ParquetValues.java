package org.dpo4j.data;

import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.Converter;
import org.apache.parquet.io.api.GroupConverter;
import org.apache.parquet.io.api.PrimitiveConverter;
import org.apache.parquet.io.api.RecordMaterializer;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;
import org.dpo4j.options.Limit;
import org.jspecify.annotations.Nullable;

/**
 * Converts records to plain Java. Null fields of nested records are left out: a file has one
 * schema, which gives every message all fields, even those that the writer never set.
 */
final class ParquetValues extends RecordMaterializer<Map<String, @Nullable Object>> {
  private final Budget budget = new Budget();
  private final Fields root;
  private Map<String, @Nullable Object> row = Map.of();

  ParquetValues(MessageType schema) {
    root = new Fields(schema, true, values -> row = values, budget);
  }

  @Override
  public Map<String, @Nullable Object> getCurrentRecord() {
    return row;
  }

  @Override
  public GroupConverter getRootConverter() {
    return root;
  }

  /** What a row may still hold: a few bytes of a file can stand for any number of values. */
  private static final class Budget {
    private long bytes;
    private long items;

    void reset() {
      bytes = Limit.ROW_BYTES.value();
      items = Limit.ROW_ITEMS.value();
    }

    void spend(long size) {
      bytes -= size;
      items--;
      if (bytes < 0 || items < 0) {
        Limit limit = bytes < 0 ? Limit.ROW_BYTES : Limit.ROW_ITEMS;
        throw new ParquetSource.RowTooLarge(limit);
      }
    }
  }

  private static Converter converter(Type type, Consumer<Object> parent, Budget budget) {
    if (type.isPrimitive()) {
      return new Leaf(parent, budget);
    }
    GroupType group = type.asGroupType();
    LogicalTypeAnnotation meaning = group.getLogicalTypeAnnotation();
    if (group.getFieldCount() == 1 && group.getType(0).isRepetition(Type.Repetition.REPEATED)) {
      if (meaning instanceof LogicalTypeAnnotation.ListLogicalTypeAnnotation) {
        return new Items(group, parent, budget);
      }
      if (meaning instanceof LogicalTypeAnnotation.MapLogicalTypeAnnotation
          && !group.getType(0).isPrimitive()) {
        return new Entries(group, parent, budget);
      }
    }
    return new Fields(group, false, parent::accept, budget);
  }

  /** A record. A repeated field outside a list type is a list. */
  private static final class Fields extends GroupConverter {
    private final Budget budget;
    private final GroupType type;
    private final boolean keepNulls;
    private final Consumer<Map<String, @Nullable Object>> parent;
    private final @Nullable Object[] values;
    private final List<Converter> converters = new ArrayList<>();

    Fields(
        GroupType type,
        boolean keepNulls,
        Consumer<Map<String, @Nullable Object>> parent,
        Budget budget) {
      this.budget = budget;
      this.type = type;
      this.keepNulls = keepNulls;
      this.parent = parent;
      this.values = new @Nullable Object[type.getFieldCount()];
      for (int i = 0; i < values.length; i++) {
        int field = i;
        boolean repeated = type.getType(i).isRepetition(Type.Repetition.REPEATED);
        converters.add(
            converter(
                type.getType(i), value -> values[field] = value(field, repeated, value), budget));
      }
    }

    @SuppressWarnings("unchecked") // the list was put there by this method
    private Object value(int field, boolean repeated, Object value) {
      if (!repeated) {
        return value;
      }
      List<Object> list = values[field] == null ? new ArrayList<>() : (List<Object>) values[field];
      list.add(value);
      return list;
    }

    @Override
    public Converter getConverter(int field) {
      return converters.get(field);
    }

    @Override
    public void start() {
      if (type instanceof MessageType) {
        budget.reset();
      } else {
        budget.spend(0);
      }
      Arrays.fill(values, null);
    }

    @Override
    public void end() {
      Map<String, @Nullable Object> record = new LinkedHashMap<>();
      for (int i = 0; i < values.length; i++) {
        if (values[i] != null || keepNulls) {
          record.put(type.getFieldName(i), values[i]);
        }
      }
      parent.accept(record);
    }
  }

  /** A list: a group around a repeated field, with or without a further group around each item. */
  private static final class Items extends GroupConverter {
    private final Consumer<Object> parent;
    private final Converter repeated;
    private List<@Nullable Object> items = new ArrayList<>();

    Items(GroupType list, Consumer<Object> parent, Budget budget) {
      this.parent = parent;
      Type inner = list.getType(0);
      this.repeated =
          isItem(list, inner)
              ? converter(inner, item -> items.add(item), budget)
              : new Item(inner.asGroupType().getType(0), item -> items.add(item), budget);
    }

    /** The backward-compatibility rules of the format for lists. */
    private static boolean isItem(GroupType list, Type inner) {
      return inner.isPrimitive()
          || inner.asGroupType().getFieldCount() != 1
          || inner.asGroupType().getType(0).isRepetition(Type.Repetition.REPEATED)
          || inner.getName().equals("array")
          || inner.getName().equals(list.getName() + "_tuple");
    }

    @Override
    public Converter getConverter(int field) {
      return repeated;
    }

    @Override
    public void start() {
      items = new ArrayList<>();
    }

    @Override
    public void end() {
      parent.accept(items);
    }
  }

  /** The group around one item of a list, which is null when the group is empty. */
  private static final class Item extends GroupConverter {
    private final Consumer<@Nullable Object> parent;
    private final Budget budget;
    private final Converter item;
    private @Nullable Object value;

    Item(Type type, Consumer<@Nullable Object> parent, Budget budget) {
      this.parent = parent;
      this.budget = budget;
      this.item = converter(type, found -> value = found, budget);
    }

    @Override
    public Converter getConverter(int field) {
      return item;
    }

    @Override
    public void start() {
      budget.spend(0);
      value = null;
    }

    @Override
    public void end() {
      parent.accept(value);
    }
  }

  /** A map: a group around repeated pairs of a key and a value. */
  private static final class Entries extends GroupConverter {
    private final Consumer<Object> parent;
    private final Fields entry;
    private Map<String, @Nullable Object> map = new LinkedHashMap<>();

    Entries(GroupType type, Consumer<Object> parent, Budget budget) {
      this.parent = parent;
      GroupType pair = type.getType(0).asGroupType();
      this.entry =
          new Fields(
              pair,
              true,
              values -> {
                List<@Nullable Object> both = new ArrayList<>(values.values());
                map.put(String.valueOf(both.get(0)), both.size() > 1 ? both.get(1) : null);
              },
              budget);
    }

    @Override
    public Converter getConverter(int field) {
      return entry;
    }

    @Override
    public void start() {
      map = new LinkedHashMap<>();
    }

    @Override
    public void end() {
      parent.accept(map);
    }
  }

  /** A single value. */
  private static final class Leaf extends PrimitiveConverter {
    private final Consumer<Object> parent;
    private final Budget budget;

    Leaf(Consumer<Object> parent, Budget budget) {
      this.parent = parent;
      this.budget = budget;
    }

    @Override
    public void addBinary(Binary value) {
      budget.spend(value.length());
      try {
        parent.accept(StandardCharsets.UTF_8.newDecoder().decode(value.toByteBuffer()).toString());
      } catch (CharacterCodingException e) {
        parent.accept(value.getBytes()); // an image, for example; harmless in an unused column
      }
    }

    @Override
    public void addBoolean(boolean value) {
      budget.spend(1);
      parent.accept(value);
    }

    @Override
    public void addDouble(double value) {
      budget.spend(8);
      parent.accept(value);
    }

    @Override
    public void addFloat(float value) {
      budget.spend(4);
      parent.accept((double) value);
    }

    @Override
    public void addInt(int value) {
      budget.spend(4);
      parent.accept(value);
    }

    @Override
    public void addLong(long value) {
      budget.spend(8);
      // Integers as a JSON parser returns them, so that token ids of any column width are equal.
      if (value == (int) value) {
        parent.accept((int) value);
      } else {
        parent.accept(value);
      }
    }
  }
}
