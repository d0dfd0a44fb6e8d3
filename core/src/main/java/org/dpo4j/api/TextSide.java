package org.dpo4j.api;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.dpo4j.Message;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.tokenizer.TextTokenizer;
import org.jspecify.annotations.Nullable;

/** The tokenizer and the chat template of a model folder, or those that replace them. */
final class TextSide {

  private TextSide() {}

  static Function<Path, ModelTokenizer> of(
      @Nullable Tokenizer tokenizer, @Nullable ChatTemplate chatTemplate) {
    TextTokenizer text = tokenizer == null ? null : new Adapted(tokenizer);
    ChatRenderer template =
        chatTemplate == null
            ? null
            : (List<Message> messages, boolean header, Map<String, @Nullable Object> variables) ->
                chatTemplate.render(messages, header, variables);
    return folder -> ModelTokenizer.load(folder, text, template);
  }

  private record Adapted(Tokenizer tokenizer) implements TextTokenizer {
    @Override
    public int[] encode(String text, boolean addSpecialTokens) {
      return tokenizer.encode(text, addSpecialTokens);
    }

    @Override
    public String decode(int[] ids) {
      return tokenizer.decode(ids);
    }
  }
}
