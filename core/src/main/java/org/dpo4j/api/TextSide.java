package org.dpo4j.api;

import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.tokenizer.TextTokenizer;
import org.jspecify.annotations.Nullable;

/** The tokenizer and the chat template of a model folder, or those that replace them. */
final class TextSide {

  private TextSide() {}

  static TextReplacement of(@Nullable Tokenizer tokenizer, @Nullable ChatTemplate chatTemplate) {
    TextTokenizer text = tokenizer == null ? null : new Adapted(tokenizer);
    ChatRenderer template =
        chatTemplate == null
            ? null
            : (List<Message> messages, boolean header, Map<String, @Nullable Object> variables) ->
                chatTemplate.render(messages, header, variables);
    return new TextReplacement(text, template);
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
