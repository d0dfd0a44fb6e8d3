package org.dpo4j.model.lora;

import java.util.List;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The layers that get an adapter, by the rules of PEFT 0.21.
 *
 * @param targets selects layers
 * @param excluded those of them that get none; {@link #NONE} for none
 * @param blocks numbers of the blocks, from 0, whose layers are selected; empty for all. They do
 *     not limit layers whose whole path is a target
 * @param containers regular expressions for the list of blocks that the numbers count, such as
 *     {@code layers}; empty for the outermost list of a path
 * @param parameters names of the matrices of experts and routers that get an adapter as well: whole
 *     paths or their ends. Exclusions and blocks do not limit them
 */
public record LayerChoice(
    TargetModules targets,
    TargetModules excluded,
    List<Integer> blocks,
    List<String> containers,
    List<String> parameters) {

  /** No layer. */
  public static final TargetModules NONE = new TargetModules.Named(List.of());

  private static final String NUMBER = "\\.(?<idx>\\d+)\\.";
  private static final Pattern OUTERMOST = Pattern.compile(".*?\\.[^.]*" + NUMBER);

  public LayerChoice {
    blocks = List.copyOf(blocks);
    containers = List.copyOf(containers);
    parameters = List.copyOf(parameters);
    if (!blocks.isEmpty() && !(targets instanceof TargetModules.Named)) {
      throw new LoraSettingException(
          "layers_to_transform",
          "works with target_modules that are names and not, as in PEFT, with all-linear or a"
              + " regular expression");
    }
  }

  /** All layers that a rule selects. */
  public LayerChoice(TargetModules targets) {
    this(targets, NONE, List.of(), List.of(), List.of());
  }

  /** The same targets and parameters in all blocks, with nothing left out. */
  LayerChoice everywhere() {
    return new LayerChoice(
        targets,
        NONE,
        List.of(),
        List.of(),
        parameters.stream().map(name -> name.replaceFirst(".*\\.\\d+\\.", "")).toList());
  }

  /** The list of blocks and a number in it. */
  private static Pattern before(String container) {
    String expression = "(?:^|.*?\\.)" + container + NUMBER;
    return new TargetModules.Matching("layers_pattern", expression).pattern();
  }

  /** Whether the matrix of experts or of a router with this path is selected. */
  public boolean selectsParameter(String path) {
    return parameters.stream().anyMatch(name -> TargetModules.Named.named(name, path));
  }

  /** Whether the layer with this path is selected. */
  boolean selects(String path) {
    return targets.matches(path) && !excluded.matches(path) && inBlocks(path);
  }

  private boolean inBlocks(String path) {
    if (blocks.isEmpty()
        || (targets instanceof TargetModules.Named n && n.names().contains(path))) {
      return true;
    }
    OptionalInt block = block(path);
    return block.isPresent() && blocks.contains(block.getAsInt());
  }

  /** The number of the block that a layer is in. */
  OptionalInt block(String path) {
    Stream<Pattern> patterns =
        containers.isEmpty()
            ? Stream.of(OUTERMOST)
            // Not in parentheses: PEFT joins the texts alike.
            : containers.stream().map(LayerChoice::before);
    return patterns
        .map(pattern -> PathPattern.matcher("layers_pattern", pattern, path))
        .filter(Matcher::lookingAt)
        .limit(1)
        .map(match -> match.group("idx"))
        .flatMap(Stream::ofNullable)
        .mapToInt(Integer::parseInt)
        .findFirst();
  }
}
