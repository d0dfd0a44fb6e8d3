package org.dpo4j.demo;

import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedExample;

/** Encodes triples: the prompt as {@code INST bytes RESP}, the completions as bare bytes. */
final class TripleEncoder {
  private static final InstructionTokenizer TOKENIZER = new InstructionTokenizer();

  private TripleEncoder() {}

  static List<EncodedExample> encode(List<PreferenceTriple> triples) {
    return IntStream.range(0, triples.size()).mapToObj(i -> encode(i, triples.get(i))).toList();
  }

  private static EncodedExample encode(int index, PreferenceTriple triple) {
    return new EncodedExample(
        new RowOrigin("built-in triples", 0, index + 1),
        TOKENIZER.encodePrompt(triple.prompt()),
        TOKENIZER.encodeCompletion(triple.chosen()),
        TOKENIZER.encodeCompletion(triple.rejected()));
  }
}
