package org.dpo4j.demo;

import java.util.List;
import org.dpo4j.data.PreferencePair;
import org.dpo4j.encode.EncodedPair;

/** Encodes the demo's triples: {@code INST bytes RESP} as prompt, bare bytes as completions. */
public final class TripleEncoder {
  private TripleEncoder() {}

  public static List<EncodedPair> encode(List<PreferencePair.Text> triples) {
    InstructionTokenizer tokenizer = new InstructionTokenizer();
    return triples.stream()
        .map(
            triple ->
                new EncodedPair(
                    triple.origin(),
                    tokenizer.encodePrompt(triple.prompt()),
                    tokenizer.encodeCompletion(triple.chosen()),
                    tokenizer.encodeCompletion(triple.rejected())))
        .toList();
  }
}
