
set edit:completion:arg-completer[wf] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) WF_COMPLETE="elvish" wf -- $@words) | to-lines
}

