package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Closes the defects of the unhappy paths: an input that is taken although it cannot be right, a
 * stack trace or a library's jargon in place of one clear message, a wrong exit code, and a failed
 * run that changes or leaves files. The runs are the real ones.
 */
class BadInputTest {
  private static final Path EXAMPLES = Path.of("..", "examples");
  private static final String FILES = "--model $/model --data_file $/pairs.jsonl ";
  private static final String TRAIN = "train " + FILES + "--output_dir $/out ";
  private static final String SHORT =
      TRAIN + "--max_steps 2 --per_device_train_batch_size 2 --max_length 64 ";
  private static final String SCORE = "score " + FILES + "--output $/scores.jsonl ";
  private static final String INSPECT = "inspect " + FILES;
  private static final String GENERATE = "generate --model $/model --max_new_tokens 2 ";
  private static final String SAMPLE =
      "sample --model $/model --prompts_file $/pairs.jsonl --max_new_tokens 2 --output $/s.jsonl ";
  private static final String PAIRS = "pairs --completions_file $/c.jsonl --output $/p.jsonl ";
  private static final String EXPORT = "export --model $/model --output $/x.gguf ";
  private static final String ROUNDS =
      "rounds --model $/model --prompts_file $/pairs.jsonl --output_dir $/out --max_new_tokens 2 ";
  private static final String GOOD_ROW = row("a", "b", "c");
  private static final String LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\n";

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Path folder;

  BadInputTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeEach
  void copyModelAndPairs() throws IOException {
    Files.createDirectory(folder.resolve("model"));
    try (Stream<Path> files = Files.list(EXAMPLES.resolve("tiny-chat"))) {
      for (Path file : files.toList()) {
        Files.copy(file, folder.resolve("model").resolve(file.getFileName().toString()));
      }
    }
    List<String> rows = Files.readAllLines(EXAMPLES.resolve("pairs.jsonl"));
    Files.write(folder.resolve("pairs.jsonl"), rows.subList(0, 4));
  }

  /** Makes the input bad. */
  @FunctionalInterface
  private interface Harm {
    void in(Path folder) throws IOException;
  }

  /**
   * One kind of bad input.
   *
   * @param command words of the command line; $ is the folder of the case
   * @param says parts of the message
   */
  private record Kind(String name, int exit, String command, Harm harm, List<String> says) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Kind usage(String name, String command, String... says) {
    return new Kind(name, 2, command, folder -> {}, List.of(says));
  }

  private static Kind usage(String name, Harm harm, String command, String... says) {
    return new Kind(name, 2, command, harm, List.of(says));
  }

  private static Kind failed(String name, Harm harm, String command, String... says) {
    return new Kind(name, 1, command, harm, List.of(says));
  }

  static Stream<Kind> kinds() {
    return Stream.of(
            options(),
            yaml(),
            models(),
            adapters(),
            tokenizers(),
            rows(),
            dataFiles(),
            outputs(),
            runs())
        .flatMap(kinds -> kinds);
  }

  private static Stream<Kind> options() {
    return Stream.of(
        usage("unknown verb", "trian", "unknown command \"trian\"", "did you mean train?"),
        usage("unknown option", SHORT + "--bta 1", "--bta is no option", "did you mean --beta?"),
        usage(
            "min-p above one",
            GENERATE + "--prompt Hi --min_p 2",
            "--min_p must be between 0 and 1 but was 2; 0 turns it off"),
        usage(
            "penalty of zero",
            GENERATE + "--prompt Hi --repetition_penalty 0",
            "--repetition_penalty must be between 0.01 and 100 but was 0"),
        usage(
            "empty stop text",
            GENERATE + "--prompt Hi --stop=[\"\"]",
            "--stop must be texts of at least one character but was empty"),
        usage(
            "port too large",
            "serve --model $/model --port 70000",
            "--port must be a whole number from 0 to 65535 but was 70000"),
        usage(
            "host without a key",
            "serve --model $/model --host 0.0.0.0",
            "--host 0.0.0.0 is reached from other machines",
            "--api_key_file",
            "DPO4J_API_KEY"),
        usage(
            "compared with nothing",
            "chat --model $/model --compare_with $/none",
            "--compare_with must be a folder but was"),
        usage(
            "no run", "doctor $/none", "--run must be a trainer_state.json, or a folder with one"),
        usage(
            "no ledger",
            "ledger $",
            "--run must be a ledger.jsonl, or a folder with one,",
            "runs on pairs write it unless --ledger is false"),
        usage(
            "compared without a prompt",
            "compare --model $/model",
            "a prompt is missing; pass --prompt"),
        usage(
            "report of no run",
            "report $",
            "--run must be a folder with a trainer_state.json",
            "TRL writes it into each checkpoint-STEP"),
        usage("threshold of no sigma", "ledger $ --threshold 0", "--threshold must be"),
        usage(
            "model evaluated twice",
            "eval --model $/model $/model/ --data_file $/pairs.jsonl",
            "--model must name each model once",
            "keep one"),
        usage(
            "base of no adapter",
            "eval --base_model $/model " + FILES,
            "--base_model is for adapters",
            "leave it out"),
        usage(
            "eval of demonstrations",
            text("pairs.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n"),
            "eval " + FILES,
            "--data_file must hold pairs of a chosen and a rejected completion"),
        usage("nothing given", "train", "--model, --data_file, --output_dir are required"),
        usage("no rounds", ROUNDS + "--rounds 0", "--rounds must be a whole number from 1"),
        usage(
            "no name of the hub",
            "download https://huggingface.co/org/name --output_dir $/hub",
            "--repo_id must be a name of the Hugging Face hub, as in ORG/NAME, but was",
            "without the address before it"),
        usage(
            "no pattern of files",
            "download org/name --output_dir $/hub --include [",
            "--include must be a pattern of file names but [ is none"),
        usage(
            "download of a library", "download org/name --output_dir $/hub --type space", "one of"),
        usage("rounds without a judge", ROUNDS, "--judge or --chosen_column is required"),
        usage("rounds on data", ROUNDS + "--data_file x", "--data_file is not an option of rounds"),
        usage(
            "rounds' file misspelled",
            text("rounds.yaml", "num_retrun_sequences: 2\njudje: exact\n"),
            ROUNDS + "--config $/rounds.yaml",
            "rounds.yaml:1: --num_retrun_sequences is no option here; did you mean"
                + " --num_return_sequences?",
            "rounds.yaml:2: --judje is no option here; did you mean --judge?"),
        usage("rounds misspelled", ROUNDS + "--judge lenght", "did you mean length?"),
        usage(
            "tracker misspelled",
            TRAIN + "--report_to tensorbord",
            "--report_to must be",
            "did you mean tensorboard?"),
        usage(
            "tracker without a server",
            TRAIN + "--report_to mlflow",
            "--report_to mlflow needs the address of a tracking server",
            "MLFLOW_TRACKING_URI=http://localhost:5000"),
        usage("no number", TRAIN + "--learning_rate fast", "--learning_rate must be a number"),
        usage("on_nan", TRAIN + "--on_nan ignore", "--on_nan must be one of stop, skip"),
        usage("no step to skip", TRAIN + "--on_nan_limit 0", "whole number from 1 but was 0"),
        usage("NaN", TRAIN + "--beta NaN", "--beta must be a number but was NaN"),
        usage("no whole number", TRAIN + "--max_steps 1.5", "whole number but was 1.5"),
        usage("beyond floats", TRAIN + "--learning_rate 1e300", "must be at most 1e30"),
        usage("out of range", TRAIN + "--label_smoothing 0.7", "between 0 and 0.5 but was 0.7"),
        usage("batch of none", TRAIN + "--per_device_train_batch_size 0", "from 1 but was 0"),
        usage("too many threads", TRAIN + "--threads 100000", "from 0 to 1024 but was 100000"),
        usage("no truth value", TRAIN + "--shuffle maybe", "true or false but was maybe"),
        usage("loss dpo", TRAIN + "--loss_type dpo", "was dpo; did you mean sigmoid?"),
        usage("loss misspelled", TRAIN + "--loss_type sigmod", "did you mean sigmoid?"),
        usage(
            "device",
            TRAIN + "--device tpu",
            "--device must be auto, cpu, cuda or cuda:N but was tpu"),
        usage(
            "no GPU", TRAIN + "--device cuda:7", "--device must be on this machine but was cuda:7"),
        usage("fp16", TRAIN + "--fp16 true", "--fp16 true is refused", "--save_dtype"),
        usage("adapter missing", SCORE + "--adapter $/none", "--adapter must be a folder"),
        usage("model as adapter", TRAIN + "--adapter $/model", "pass it as --model"),
        usage("rank of none", TRAIN + "--use_peft --lora_r 0", "--lora_r must be", "from 1"),
        usage("dropout of all", TRAIN + "--use_peft --lora_dropout 1", "in [0, 1) but was 1"),
        usage("no biases", SHORT + "--use_peft --lora_bias all", "--lora_bias must train biases"),
        usage(
            "biases of none",
            TRAIN + "--use_peft --lora_bias some",
            "must be one of none, all, lora_only"),
        usage(
            "target misspelled",
            SHORT + "--use_peft --lora_target_modules q_prj",
            "--lora_target_modules must name",
            "q_prj finds none; it has down_proj"),
        usage(
            "one of two targets misspelled",
            SHORT + "--use_peft --lora_target_modules q_proj,v_prj",
            "but v_prj names none"),
        usage(
            "no pattern",
            SHORT + "--use_peft --lora_target_modules (",
            "( is none: Unclosed group"),
        usage(
            "rank without a number",
            SHORT + "--use_peft --lora_rank_pattern q_proj",
            "--lora_rank_pattern must be layers and numbers"),
        usage("base of no adapter", TRAIN + "--reference base", "--adapter DIR or --use_peft"),
        usage("evaluation of nothing", TRAIN + "--eval_strategy epoch", "pass --eval_file"),
        usage(
            "template without marks",
            "sft " + FILES + "--output_dir $/out --assistant_only_loss",
            "--assistant_only_loss needs a chat template that marks",
            "chat_template.jinja has no tag generation",
            "write {% generation %} before"),
        usage(
            "template that is not there",
            SHORT + "--chat_template $/none.jinja",
            "--chat_template must be a file that can be read",
            "not there"),
        usage(
            "template that is a folder",
            INSPECT + "--chat_template_path $/model",
            "--chat_template must be a file that can be read",
            "a folder"),
        usage(
            "variable of the run",
            SHORT + "--chat_template_kwargs {\"messages\":1}",
            "--chat_template_kwargs must not have messages, which the run sets itself"),
        usage(
            "variables that are none",
            SHORT + "--chat_template_kwargs thinking",
            "--chat_template_kwargs must be a JSON object"),
        usage(
            "variable that YAML takes for a name",
            SHORT + "--chat_template_kwargs {thinking:false}",
            "--chat_template_kwargs must be a JSON object"),
        usage(
            "template of raw prompts",
            GENERATE + "--prompt x --raw --chat_template $/pairs.jsonl",
            "--raw and --chat_template exclude each other"),
        usage(
            "variables of raw prompts",
            SAMPLE + "--raw --chat_template_kwargs {\"a\":1}",
            "--raw and --chat_template_kwargs exclude each other"),
        usage("max_length", TRAIN + "--max_length 4096", "at most 1024", "was 4096"),
        usage("no completions", SAMPLE + "--num_return_sequences 0", "a whole number from 1"),
        usage("top_k below 0", SAMPLE + "--top_k -1", "--top_k must be a whole number from 0"),
        usage("no batch", SAMPLE + "--generation_batch_size 0", "a whole number from 1"),
        usage("no judge", PAIRS, "missing", "--judge"),
        usage("unknown judge", PAIRS + "--judge best", "must be one of regex"),
        usage("no pattern", PAIRS + "--judge regex", "--judge regex needs --pattern"),
        usage("broken pattern", PAIRS + "--judge regex --pattern (", "a regular expression"),
        usage("useless option", PAIRS + "--judge length --prefer longer --schema s", "no effect"),
        failed(
            "no answer",
            text("c.jsonl", "{\"prompt\": \"a\", \"completions\": [\"b\"]}"),
            PAIRS + "--judge exact --answer_column answer",
            "c.jsonl:1] column \"answer\" must hold the answer"),
        failed(
            "row without completions",
            text("c.jsonl", "{\"prompt\": \"a\"}"),
            PAIRS + "--judge json_schema",
            "c.jsonl:1] missing field \"completions\""),
        usage(
            "export of no type",
            EXPORT + "--outtype q4_0",
            "--outtype must be one of auto, f32, f16, bf16, q8_0 but was q4_0"),
        usage(
            "export of no format",
            EXPORT + "--format onnx",
            "--format must be one of gguf but was onnx"),
        usage(
            "no adapter alone",
            EXPORT + "--adapter_only",
            "--adapter_only must be false without --adapter but was true; name the adapter"),
        usage(
            "export over a file",
            text("x.gguf", "mine"),
            EXPORT,
            "--output must be a new file, and so must the Modelfile beside it, but",
            "x.gguf is there; name another file, or remove it"),
        usage(
            "export into no folder",
            EXPORT.replace("x.gguf", "none/x.gguf"),
            "--output must be in a folder that exists but"),
        failed(
            "export of a tokenizer without a form",
            text("model/tokenizer.json", "{\"model\": {\"type\": \"Unigram\", \"vocab\": []}}"),
            EXPORT,
            "tokenizer.json]",
            "is of the type Unigram, for which GGUF has no exact form"),
        failed(
            "export of a model that llama.cpp does not have",
            config("\"silu\"", "\"gelu\""),
            EXPORT,
            "config.json] llama.cpp's architecture llama cannot compute this model exactly",
            "it does not have the activation gelu in its exact form"),
        failed(
            "export of a bigger tokenizer",
            BadInputTest::moveIds,
            EXPORT,
            "tokenizer.json] the token",
            "the tokenizer must be of this model"),
        usage("resume to stdout", SAMPLE.replace("$/s.jsonl", "-") + "--resume", "--output -"));
  }

  private static Stream<Kind> yaml() {
    String train = "train --config $/run.yaml";
    return Stream.of(
        usage("no YAML file", train, "--config must be a file", "not there"),
        usage("unknown key", text("run.yaml", "beta: 1\nbta: 1\n"), train, "run.yaml:2: --bta is"),
        usage("broken YAML", text("run.yaml", "beta: [1\nseed: 1\n"), train, "run.yaml:2: ", "','"),
        usage(
            "tab in YAML", text("run.yaml", "beta: 1\n\tseed: 1\n"), train, "run.yaml:2: ", "TAB"),
        usage("key twice", text("run.yaml", "beta: 1\nbeta: 2\n"), train, "twice", "run.yaml:1"),
        usage("YAML list", text("run.yaml", "- beta\n"), train, "run.yaml:1: ", "mapping"),
        usage("two documents", text("run.yaml", "beta: 1\n---\nseed: 1\n"), train, "one YAML"),
        usage(
            "wrong value in YAML",
            text("run.yaml", "model: m\ndata_file: d\noutput_dir: o\nbeta: high\n"),
            train,
            "run.yaml:4: --beta must be a number but was high"));
  }

  private static Stream<Kind> models() {
    return Stream.of(
        usage("model missing", INSPECT.replace("$/model", "$/none"), "none, which is not there"),
        usage(
            "hub name",
            INSPECT.replace("$/model", "some/name"),
            "./dpo4j download some/name --output_dir name"),
        usage("model is a file", INSPECT.replace("$/model", "$/pairs.jsonl"), "which is a file"),
        usage("no config.json", without("model/config.json"), SHORT, "config.json but"),
        failed("broken config", text("model/config.json", "{\"a\": "), SHORT, "must be JSON"),
        failed(
            "family",
            config("\"llama\"", "\"mamba\""),
            SHORT,
            "\"mamba\" is not supported: it has"),
        failed("activation", config("\"silu\"", "\"mish\""), SHORT, "\"mish\" is not supported"),
        failed("known family", config("\"llama\"", "\"bloom\""), SHORT, "bloom", "models.md"),
        failed(
            "kind of positions",
            config("\"default\"", "\"proportional\""),
            SHORT,
            "\"rope_parameters.rope_type\" \"proportional\" is not supported",
            "default, linear, dynamic, llama3, yarn"),
        failed(
            "config of wider model", config("\": 192", "\": 384"), SHORT, "wrong shape", "more)"),
        failed(
            "huge vocabulary",
            config(": 4096", ": 2000000000"),
            SHORT,
            "must be at most 4194304 but was 2000000000"),
        failed("more layers", config("layers\": 6", "layers\": 9999"), SHORT, "missing"),
        failed(
            "a million layers", config("layers\": 6", "layers\": 1000000"), SHORT, "at most 10000"),
        failed("negative size", config("layers\": 6", "layers\": -1"), SHORT, "positive integer"),
        failed("no weights", without("model/model.safetensors"), SHORT, "has no weights"),
        failed("weights cut", cut("model/model.safetensors", 3_000_000), SHORT, "is cut off"),
        failed("weights empty", cut("model/model.safetensors", 0), SHORT, "is empty"),
        failed(
            "no weights at all", text("model/model.safetensors", "x".repeat(99)), SHORT, "is not"),
        failed("weights pointer", text("model/model.safetensors", LFS), SHORT, "git lfs pull"),
        failed(
            "NaN weights",
            BadInputTest::putNan,
            SHORT,
            "must be finite",
            "embed_tokens.weight (model.safetensors)"),
        failed("NaN weights write", BadInputTest::putNan, GENERATE + "--prompt Hi", "finite"));
  }

  private static Stream<Kind> adapters() {
    String adapter = "{\"peft_type\": \"LORA\", \"target_modules\": [\"%s\"]}";
    String config = "adapter/adapter_config.json";
    String train = SHORT + "--adapter $/adapter";
    String score = SCORE + "--adapter $/adapter";
    return Stream.of(
        failed(
            "adapter without weights", text(config, adapter.formatted("q_proj")), score, "no ad"),
        failed("broken adapter config", text(config, "{"), train, "not valid JSON"),
        failed("other adapter", text(config, "{\"peft_type\": \"IA3\"}"), train, "\"IA3\" is not"),
        usage(
            "adapter as model",
            text(config, "{}"),
            INSPECT.replace("$/model", "$/adapter"),
            "it is an adapter"));
  }

  private static Stream<Kind> tokenizers() {
    Harm refuses = text("model/chat_template.jinja", "{{ raise_exception('no user here') }}");
    return Stream.of(
        failed(
            "no tokenizer", without("model/tokenizer.json"), SHORT, "must hold a tokenizer.json"),
        failed("tokenizer cut", cut("model/tokenizer.json", 999), SHORT, "copy it again"),
        failed("other JSON", text("model/tokenizer.json", "[1]"), SHORT, "of another kind"),
        failed("tokenizer pointer", text("model/tokenizer.json", LFS), SHORT, "git lfs pull"),
        failed("tokenizer config", text("model/tokenizer_config.json", "{"), SHORT, "must be JSON"),
        failed("bigger tokenizer", BadInputTest::moveIds, SHORT, "pairs.jsonl:1]", "another model"),
        failed("template refuses", refuses, SHORT, "pairs.jsonl:1]", "no user here"),
        failed("template refuses prompt", refuses, GENERATE + "--prompt Hi", "no user here"),
        failed("broken template", text("model/chat_template.jinja", "{{ a"), SHORT, ".jinja:1]"),
        failed(
            "broken file",
            text("own.jinja", "{{ a"),
            SHORT + "--chat_template $/own.jinja",
            "own.jinja:1]"));
  }

  private static Stream<Kind> rows() {
    String deep = "[".repeat(100_000) + "]".repeat(100_000);
    String badRole = "{\"prompt\": [{\"role\": 7, \"content\": \"a\"}]}";
    String completions = "\"chosen\": \"b\", \"rejected\": \"c\"";
    String messages = GOOD_ROW.replace("\"a\"", "[{\"role\": \"user\", \"content\": \"a\"}]");
    return Stream.of(
        usage("no data", SHORT.replace("pairs.jsonl", "none"), "--data_file", "is not there"),
        failed(
            "folder of a model", f -> {}, SHORT.replace("pairs.jsonl", "model"), "config.json:1]"),
        failed("empty data", text("pairs.jsonl", ""), SHORT, "at least one row"),
        failed("text", text("a.txt", "a,b"), SHORT.replace("pairs.jsonl", "a.txt"), "named .jsonl"),
        failed(
            "no gzip",
            text("a.jsonl.gz", "a"),
            SHORT.replace("pairs.jsonl", "a.jsonl.gz"),
            "to its end"),
        failed("half gzip", halfGzip(), SHORT.replace("pairs.jsonl", "a.jsonl.gz"), "to its end"),
        failed("invalid JSON", second("{\"prompt\": "), SHORT, "pairs.jsonl:2] invalid JSON"),
        failed("two values", second(GOOD_ROW + "{}"), SHORT, ":2] invalid JSON", "after the value"),
        failed(
            "deep JSON", second("{\"prompt\": " + deep + "}"), SHORT, ":2] invalid JSON", "depth"),
        failed("huge row", second(row("a".repeat(17 << 20), "b", "c")), SHORT, ":2] row too long"),
        failed("invalid UTF-8", second("\u00ff"), SHORT, ":2] invalid UTF-8"),
        failed(
            "no field",
            second("{\"prompt\": \"a\"}"),
            SHORT,
            ":2] missing field",
            "1 of 2 rows is bad; fix it, or skip it with --on_bad_row skip"),
        failed(
            "other names",
            text("pairs.jsonl", "{\"prompt\": \"a\", \"good\": \"b\", \"bad\": \"c\"}"),
            SHORT,
            ":1] missing field \"chosen\"",
            "--columns chosen=good,rejected=bad"),
        failed(
            "no prompt in a line of prompts",
            text("p.jsonl", "{\"text\": \"a\"}"),
            prompts("p.jsonl"),
            "p.jsonl:1] missing field \"prompt\": found \"text\" (a string)"),
        failed("null", second("{\"prompt\": null, " + completions + "}"), SHORT, ":2] null in"),
        failed(
            "wrong type", second("{\"prompt\": 5, " + completions + "}"), SHORT, ":2] ", "number"),
        failed("no object", second("5"), SHORT, ":2] row is not an object"),
        failed("identical", second(row("a", "b", "b")), SHORT, ":2] identical"),
        failed("empty side", second(row("a", "b", "")), SHORT, ":2] empty rejected"),
        failed(
            "id out of range",
            text(
                "pairs.jsonl",
                "{\"prompt_ids\": [1], \"chosen_ids\": [2], \"rejected_ids\": [4096]}"),
            SHORT,
            ":1] token id out of range",
            "is 4096"),
        failed(
            "tools", second(GOOD_ROW.replace("}", ", \"tools\": [1]}")), SHORT, "column \"tools\""),
        failed("bad role", second(badRole.replace("]}", "], " + completions + "}")), SHORT, ":2] "),
        failed(
            "mixed shapes", second("{" + completions + "}"), SHORT, ":2] missing field \"prompt"),
        failed("mixed forms", second(messages), SHORT, ":2] another shape", "jsonl:1]"),
        failed("no rejected", second(GOOD_ROW.replace("\"c\"", "[]")), SHORT, ":2] empty rejected"),
        failed("weight below 0", weights("-1"), SHORT, ":2] weight that is not", "is -1"),
        failed("weight 0", weights("0"), SHORT, ":2] weight that is not", "is 0"),
        failed("weight in words", weights("\"x\""), SHORT, ":2] weight that is not", "x"),
        failed("NaN weight", weights("NaN"), SHORT, ":2] weight that is not", "is NaN"),
        failed("weight in one row", second(withWeight("2")), SHORT, ":2] field \"weight\""),
        failed(
            "scores that are equal",
            scores("5"),
            SHORT + "--loss_type odpo ",
            ":2] score_chosen that is not above score_rejected: they are 5 and 5"),
        failed(
            "NaN score", scores("NaN"), SHORT + "--loss_type odpo ", ":2] score_rejected that is"),
        failed(
            "no scores",
            text("pairs.jsonl", GOOD_ROW),
            SHORT + "--loss_type odpo ",
            ":1] --loss_type odpo needs"),
        failed(
            "unknown role",
            text(
                "pairs.jsonl",
                "{\"conversations\": [{\"from\": \"bard\", \"value\": \"a\"}], "
                    + completions.replace("\"b\"", "{\"from\": \"gpt\", \"value\": \"b\"}")
                    + "}"),
            SHORT,
            ":1] unknown role",
            "\"bard\""),
        failed(
            "format of other rows",
            folder -> {},
            SHORT + "--data_format alpaca",
            ":1] row that does not fit --data_format alpaca",
            "instruction"),
        usage("no data_format", SHORT + "--data_format csv", "--data_format must be one of auto"),
        failed("nothing usable", text("pairs.jsonl", "x"), SHORT + "--on_bad_row skip", "none is"),
        failed("bad row in inspect", second("{"), INSPECT + "--output $/rows.jsonl", ":2] invalid"),
        failed("bad row in score", second("{"), SCORE, ":2] invalid JSON"),
        failed("bad role in a prompt", text("p.jsonl", badRole), prompts("p.jsonl"), "p.jsonl:1] "),
        failed(
            "long prompt", text("p", "a\n" + "b c ".repeat(2000)), prompts("p"), "p:2] ", "1023"),
        failed("no UTF-8 in prompts", bytes("p", 'a', 0xff), prompts("p"), "must be text in UTF-8"),
        failed("no prompt", text("p", "\n"), prompts("p"), "at least one prompt"));
  }

  private static Stream<Kind> dataFiles() {
    String ids = "{\"prompt_ids\": [5], \"chosen_ids\": [6], \"rejected_ids\": [%d]}";
    Harm empty = folder -> Files.createDirectory(folder.resolve("empty"));
    String csv = SHORT.replace("pairs.jsonl", "a.csv");
    String two = SHORT.replace("pairs.jsonl", "pairs.jsonl,$/b.jsonl");
    Harm second = text("b.jsonl", GOOD_ROW);
    return Stream.of(
        usage("no match", SHORT.replace("pairs.jsonl", "*.csv"), "matches none"),
        usage("no folder to match", SHORT.replace("pairs.jsonl", "x/*.csv"), "no folder", "/x"),
        usage("broken pattern", SHORT.replace("pairs.jsonl", "[a"), "check its brackets"),
        usage("empty folder", empty, SHORT.replace("pairs.jsonl", "empty"), "holds nothing"),
        usage(
            "no pairs in a folder",
            text("other/p.txt", "a"),
            SHORT.replace("pairs.jsonl", "other"),
            "only p.txt"),
        usage(
            "hub data set",
            SHORT.replace("$/pairs.jsonl", "some/set"),
            "./dpo4j download some/set --type dataset --output_dir set"),
        usage("file twice", SHORT.replace("pairs.jsonl", "pairs.jsonl,$/*.jsonl"), "file once"),
        failed("half zstd", halfZstd(), SHORT.replace("pairs.jsonl", "a.jsonl.zst"), "to its end"),
        failed(
            "no zstd",
            text("a.csv.zst", "a"),
            SHORT.replace("pairs.jsonl", "a.csv.zst"),
            "not packed by zstd"),
        failed(
            "no Parquet",
            text("a.parquet", LFS),
            SHORT.replace("pairs.jsonl", "a.parquet"),
            "begin with PAR1",
            "git lfs pull"),
        failed(
            "half Parquet",
            text("a.parquet", "PAR1 and no end"),
            SHORT.replace("pairs.jsonl", "a.parquet"),
            "cut short"),
        failed(
            "CSV without header",
            text("a.csv", "Hi,a,b\nHo,c,d\n"),
            csv,
            ":2] missing field",
            "Hi"),
        failed("CSV header twice", text("a.csv", "prompt,prompt\n"), csv, ":1]", "a repetition"),
        failed(
            "ragged CSV", text("a.csv", "prompt,chosen,rejected\na,b\n"), csv, ":2] wrong number"),
        usage("no mapping", SHORT + "--columns prompt", "a list of NAME=COLUMN but was prompt"),
        usage("unknown column", SHORT + "--columns promt=q", "did you mean prompt?"),
        usage("mapping reversed", SHORT + "--columns q=prompt", "write prompt=q"),
        usage("mapped twice", SHORT + "--columns prompt=a,chosen=a", "each column once"),
        failed(
            "mapped column missing",
            folder -> {},
            SHORT + "--columns prompt=question",
            "pairs.jsonl:1]",
            "a column \"question\"",
            "has \"prompt\""),
        usage("samples below 0", SHORT + "--max_samples -1", "a whole number from 0"),
        usage("weights of one", SHORT + "--data_weights 1", "of which there must be several"),
        usage("weights for more", second, two + "--data_weights 1,2,3", "was 3 for 2"),
        usage("weight of none", second, two + "--data_weights 1,0", "above 0 but was 0"),
        usage("nothing left", second, two + "--data_weights 1,1e-9", "none is left"),
        usage("split of all", SHORT + "--eval_split 4", "holds out 4"),
        usage("split too small", SHORT + "--eval_split 0", "between 0 and 1"),
        usage("split into nothing", SHORT + "--eval_split 1.5", "a whole number of them"),
        usage("held out twice", SHORT + "--eval_split 1 --eval_file $/pairs.jsonl", "pass one"),
        usage(
            "one prompt",
            text("pairs.jsonl", ids.formatted(7) + "\n" + ids.formatted(8)),
            SHORT + "--eval_split 0.5",
            "2 pairs with 1 different prompts holds out 0"));
  }

  private static Stream<Kind> outputs() {
    Harm mine = text("out/mine.txt", "mine");
    String overwrite = SHORT + "--overwrite_output_dir ";
    String toData = SCORE.replace("scores.jsonl", "pairs.jsonl");
    return Stream.of(
        usage("output not empty", mine, SHORT, "must be new or empty"),
        usage("output is a file", text("out", "mine"), SHORT, "must be a folder but was a file"),
        usage("output not ours", mine, overwrite, "only a folder that a run wrote"),
        usage("output holds the model", overwrite.replace("$/out", "$/"), "must not hold what"),
        usage("output below a file", SHORT.replace("$/out", "$/pairs.jsonl/a/b"), "is a file"),
        usage("scores over the data", toData, "must not touch what this run reads"),
        usage("row 0", INSPECT + "--row 0", "--row must be a whole number from 1 but was 0"),
        usage("no such row", INSPECT + "--row 99", "but was 99, and there are"),
        usage("row and reason", INSPECT + "--row 1 --reason cut", "--row names one; leave one"),
        usage("row and strict", INSPECT + "--row 1 --strict", "--strict is about all rows"),
        usage("bad rows that stop", INSPECT + "--reason bad", "pass --on_bad_row skip"),
        failed("strict", folder -> {}, INSPECT + "--max_length 3 --strict", "no findings, and"),
        usage("rows over the data", INSPECT + "--output $/pairs.jsonl", "must not touch"),
        usage("scores over the model", SCORE.replace("scores.jsonl", "model/config.json"), "in "),
        usage("scores over a folder", SCORE.replace("scores.jsonl", "model"), "is a folder"),
        usage("scores below a file", SCORE.replace("scores.jsonl", "pairs.jsonl/a"), "in the way"));
  }

  private static Stream<Kind> runs() {
    String rate = "--logging_steps 1 --lr_scheduler_type constant --learning_rate ";
    Harm ours =
        folder -> {
          text("out/dpo4j.yaml", "beta: 1\n").in(folder);
          text("out/README.md", "mine").in(folder);
        };
    Harm more =
        folder -> {
          ours.in(folder);
          text("out/mine.txt", "mine").in(folder);
        };
    return Stream.of(
        usage(
            "files of the user's",
            more,
            SHORT + "--overwrite_output_dir",
            "also holds mine.txt; move it away"),
        failed(
            "absurd rate",
            ours,
            SHORT + "--overwrite_output_dir " + rate + "1e30",
            "step 2: ",
            "must be finite",
            "pairs.jsonl:"),
        failed(
            "absurd rate in the demo",
            folder -> {},
            "demo --output_dir $/out --steps 3 " + "--learning_rate 1e6",
            "step 2: ",
            "row 12",
            "Lower --learning_rate"));
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void oneClearMessageAndNothingElse(Kind kind) throws IOException {
    kind.harm().in(folder);
    Map<String, String> before = files();

    int exit = run(words(kind.command()));

    String message = err.toString(StandardCharsets.UTF_8);
    assertThat(message)
        .startsWith("error: ")
        .contains(kind.says())
        .containsOnlyOnce("error: ")
        .doesNotContain("Exception", "\tat ", "internal error", "java.", "`", "REDACTED")
        .hasSizeLessThan(1500 + 5 * folder.toString().length());
    assertThat(message.lines().skip(1)).allMatch(line -> line.startsWith("       "));
    assertThat(out.toString(StandardCharsets.UTF_8)).doesNotContain("written", "train_runtime");
    assertThat(exit).as(message).isEqualTo(kind.exit());
    assertThat(files()).isEqualTo(before);
  }

  /** Rows beyond the largest int in a step: once an endless loop. */
  @Test
  void theLargestBatchIsAllPairs() {
    String largest = Integer.toString(Integer.MAX_VALUE);

    assertThat(
            run(
                words(
                    TRAIN
                        + "--max_steps 1 --max_length 64 --per_device_eval_batch_size "
                        + largest
                        + " --per_device_train_batch_size "
                        + largest
                        + " --gradient_accumulation_steps "
                        + largest)))
        .as(err.toString(StandardCharsets.UTF_8))
        .isZero();
    assertThat(folder.resolve("out/model.safetensors")).exists();
  }

  @Test
  void debugShowsWhereAFailureComesFrom() throws IOException {
    second("{").in(folder);

    assertThat(run(words(SCORE + "--debug"))).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("\tat org.dpo4j.");
  }

  private String[] words(String command) {
    return Arrays.stream(command.strip().split(" +"))
        .map(word -> word.replace("$", folder.toString()))
        .toArray(String[]::new);
  }

  private int run(String... words) {
    Console console =
        new Console(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            false);
    return new Main(Runner.on(console), console).run(words);
  }

  /**
   * Every file and folder below the case's folder, and what is in it; but for what the reference
   * said, which a run that fails later leaves for the next one on purpose.
   */
  private Map<String, String> files() throws IOException {
    Map<String, String> found = new TreeMap<>();
    Path cache = folder.resolve("reference_cache");
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path :
          paths
              .filter(path -> !path.startsWith(cache))
              .filter(path -> !path.toString().contains("nonfinite-step-"))
              .filter(path -> !path.endsWith("metrics.jsonl")) // grows while a run lives
              .filter(path -> !path.endsWith("ledger.jsonl"))
              .toList()) {
        found.put(
            folder.relativize(path).toString(),
            Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)
                ? digest(Files.readAllBytes(path))
                : "folder");
      }
    }
    return found;
  }

  private static String digest(byte[] bytes) {
    try {
      return new BigInteger(1, MessageDigest.getInstance("SHA-256").digest(bytes)).toString(16);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String row(String prompt, String chosen, String rejected) {
    return "{\"prompt\": \"%s\", \"chosen\": \"%s\", \"rejected\": \"%s\"}"
        .formatted(prompt, chosen, rejected);
  }

  private static String withWeight(String weight) {
    return GOOD_ROW.replace("}", ", \"weight\": " + weight + "}");
  }

  private static Harm weights(String second) {
    return text("pairs.jsonl", withWeight("1") + "\n" + withWeight(second) + "\n");
  }

  private static Harm scores(String rejected) {
    String row = GOOD_ROW.replace("}", ", \"score_chosen\": 5, \"score_rejected\": %s}");
    return text("pairs.jsonl", row.formatted("1") + "\n" + row.formatted(rejected) + "\n");
  }

  private static String prompts(String file) {
    return GENERATE + "--prompts_file $/" + file;
  }

  private static Harm text(String file, String text) {
    return folder -> {
      Path path = folder.resolve(file);
      Files.createDirectories(path.resolveSibling("."));
      Files.writeString(path, text);
    };
  }

  private static Harm bytes(String file, int... bytes) {
    return folder -> {
      byte[] all = new byte[bytes.length];
      for (int i = 0; i < all.length; i++) {
        all[i] = (byte) bytes[i];
      }
      Files.write(folder.resolve(file), all);
    };
  }

  /** A good row, then a bad one; its characters are bytes. */
  private static Harm second(String row) {
    return folder ->
        Files.writeString(
            folder.resolve("pairs.jsonl"),
            GOOD_ROW + "\n" + row + "\n",
            StandardCharsets.ISO_8859_1);
  }

  private static Harm without(String file) {
    return folder -> Files.delete(folder.resolve(file));
  }

  private static Harm config(String from, String to) {
    return folder -> {
      Path file = folder.resolve("model/config.json");
      String config = Files.readString(file);
      assertThat(config).contains(from);
      Files.writeString(file, config.replace(from, to));
    };
  }

  private static Harm cut(String file, int length) {
    return folder -> {
      Path path = folder.resolve(file);
      Files.write(path, Arrays.copyOf(Files.readAllBytes(path), length));
    };
  }

  private static Harm halfZstd() {
    Path whole = Path.of("../core/src/test/resources/data-files/text.jsonl.zst");
    return folder -> {
      byte[] packed = Files.readAllBytes(whole);
      Files.write(folder.resolve("a.jsonl.zst"), Arrays.copyOf(packed, packed.length / 2));
    };
  }

  private static Harm halfGzip() {
    return folder -> {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (GZIPOutputStream zip = new GZIPOutputStream(bytes)) {
        zip.write(Files.readAllBytes(folder.resolve("pairs.jsonl")));
      }
      Files.write(
          folder.resolve("a.jsonl.gz"), Arrays.copyOf(bytes.toByteArray(), bytes.size() / 2));
    };
  }

  /** A NaN of bfloat16 into the embedding of a token that no pair has. */
  private static void putNan(Path folder) throws IOException {
    Path file = folder.resolve("model/model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    bytes[100_000] = (byte) 0xc0;
    bytes[100_001] = 0x7f;
    Files.write(file, bytes);
  }

  /** The ids of a model with a larger vocabulary: 9 before each of three digits or more. */
  private static void moveIds(Path folder) throws IOException {
    Path file = folder.resolve("model/tokenizer.json");
    Files.writeString(
        file, Files.readString(file).replaceAll("\": ?(\\d{3,})(?=[,\\s}])", "\": 9$1"));
  }
}
